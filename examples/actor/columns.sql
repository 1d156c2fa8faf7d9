-- The actor in columns of the row: created_by, updated_by, deleted_by (jsonb).
--
-- The application says once, when a transaction begins, who acts:
--
--   SELECT set_config('audit.actor', '{"type": "session", "session": {...}}', true);
--
-- `true` is SET LOCAL: it ends with the transaction, so a pooled connection forgets it. The trigger
-- then fills the columns, whatever the statement says of them. Run this with the search_path of your
-- tables.
CREATE FUNCTION fill_actor() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  actor jsonb := nullif(current_setting('audit.actor', true), '')::jsonb
    -- The same person twice in a row must not look like a column that was left alone: replay would
    -- call the actor stale. The time makes each value another; the event does not show it.
    || jsonb_build_object('at', clock_timestamp());
  written text := 'updated_by';
BEGIN
  IF TG_OP = 'INSERT' THEN
    written := 'created_by';
  ELSIF to_jsonb(NEW) ->> 'deleted_at' IS NOT NULL AND to_jsonb(OLD) ->> 'deleted_at' IS NULL THEN
    written := 'deleted_by';
  END IF;
  -- Nobody is somebody else than the one before: null, if no actor was said. A column that the table
  -- does not have is passed over.
  RETURN jsonb_populate_record(NEW, jsonb_build_object(written, actor));
END $$;

-- CREATE TRIGGER fill_actor BEFORE INSERT OR UPDATE ON some_table
--   FOR EACH ROW EXECUTE FUNCTION fill_actor();
CREATE PROCEDURE fill_actor_of(VARIADIC tables regclass[]) LANGUAGE plpgsql AS $$
DECLARE
  one regclass;
BEGIN
  FOREACH one IN ARRAY tables LOOP
    EXECUTE format('CREATE TRIGGER fill_actor BEFORE INSERT OR UPDATE ON %s '
      'FOR EACH ROW EXECUTE FUNCTION %s()', one, 'fill_actor'::regproc);
  END LOOP;
END $$;
