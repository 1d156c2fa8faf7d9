-- The actor in a logical message: in the WAL, in no table, joined with the rows by the transaction.
--
-- By hand, in the transaction that writes, before or after its rows. `true`: part of the transaction.
-- With `false` the message belongs to no transaction and tells nobody's actor.
--
--   BEGIN;
--   SELECT pg_logical_emit_message(true, 'audit.actor', '{"type": "session", "session": {...}}');
--   UPDATE ...;
--   COMMIT;
--
-- Or by the database. The application says once, when a transaction begins, who acts. That writes
-- nothing, so it may be said in each transaction, also in those that only read:
--
--   SELECT set_config('audit.actor', '{"type": "session", "session": {...}}', true);
--
-- and the trigger below sends the message at the first statement that writes, whatever sent it: an
-- ORM, a bulk statement, a function, a cascade. Run this with the search_path of your tables.
CREATE FUNCTION tell_actor() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  actor text := current_setting('audit.actor', true);  -- '' once it was set on this connection
BEGIN
  -- Both settings end with the transaction: the next user of a pooled connection is not this one.
  -- A savepoint that is rolled back takes with it the message and the note that it was sent.
  IF actor <> '' AND current_setting('audit.told', true) IS DISTINCT FROM actor THEN
    PERFORM pg_logical_emit_message(true, 'audit.actor', actor);
    PERFORM set_config('audit.told', actor, true);
  END IF;
  RETURN NULL;
END $$;

-- CREATE TRIGGER tell_actor BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON some_table
--   FOR EACH STATEMENT EXECUTE FUNCTION tell_actor();
CREATE PROCEDURE tell_actor_of(VARIADIC tables regclass[]) LANGUAGE plpgsql AS $$
DECLARE
  one regclass;
BEGIN
  FOREACH one IN ARRAY tables LOOP
    EXECUTE format('CREATE TRIGGER tell_actor BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s '
      'FOR EACH STATEMENT EXECUTE FUNCTION %s()', one, 'tell_actor'::regproc);
  END LOOP;
END $$;
