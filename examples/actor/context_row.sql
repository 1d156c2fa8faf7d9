-- The actor in a row of its own, written by the transaction that it speaks of. For databases and
-- connectors without logical messages (MySQL, MariaDB, PostgreSQL before 14, other plugins), and for
-- who wants to read the actor with SQL too. The table must be in the publication.
--
--   BEGIN;
--   CALL note_actor('{"type": "session", "session": {...}}');
--   UPDATE ...;
--   COMMIT;
--
-- The first one of a transaction stands: to say it again is nothing new, and no second row.
CREATE PROCEDURE note_actor(actor jsonb) LANGUAGE sql AS $$
  INSERT INTO platform.audit_context (actor) VALUES (actor) ON CONFLICT (transaction_id) DO NOTHING
$$;
