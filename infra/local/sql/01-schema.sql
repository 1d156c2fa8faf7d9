-- An API platform's tables, as the default audit mapping expects them. Every row says who wrote it.
CREATE SCHEMA app;

CREATE TABLE app.organization (
  id text PRIMARY KEY, title text, description text, name text NOT NULL,
  threads_ui_visibility text, usage_dashboard_visibility text,
  api_call_logging text, api_call_logging_project_ids text[], billing_email text,
  created_by jsonb, updated_by jsonb, deleted_by jsonb, deleted_at timestamptz);
CREATE TABLE app.project (
  id text PRIMARY KEY, organization_id text NOT NULL, name text NOT NULL, title text NOT NULL,
  archived_at timestamptz, instructions text,
  created_by jsonb, updated_by jsonb, deleted_by jsonb, deleted_at timestamptz);
CREATE TABLE app.project_user (
  project_id text NOT NULL, user_id text NOT NULL, role text NOT NULL,
  created_by jsonb, updated_by jsonb, deleted_by jsonb, deleted_at timestamptz,
  PRIMARY KEY (project_id, user_id));
CREATE TABLE app.api_key (
  id text PRIMARY KEY, project_id text NOT NULL, name text, scopes text[] NOT NULL,
  created_by jsonb, updated_by jsonb, deleted_by jsonb, deleted_at timestamptz);
CREATE TABLE app.service_account (
  id text PRIMARY KEY, project_id text NOT NULL, name text, role text NOT NULL,
  created_by jsonb, updated_by jsonb, deleted_by jsonb, deleted_at timestamptz);
CREATE TABLE app.invite (
  id bigserial PRIMARY KEY, email text NOT NULL, role text NOT NULL,
  status text NOT NULL DEFAULT 'pending', accepted_at timestamptz,
  created_by jsonb, updated_by jsonb, deleted_by jsonb, deleted_at timestamptz);
CREATE TABLE app.rate_limit (
  id text PRIMARY KEY, project_id text NOT NULL, model text NOT NULL,
  max_requests_per_1_minute int, max_tokens_per_1_minute int, max_images_per_1_minute int,
  max_audio_megabytes_per_1_minute int, max_requests_per_1_day int,
  batch_1_day_max_input_tokens int,
  created_by jsonb, updated_by jsonb, deleted_by jsonb, deleted_at timestamptz);
CREATE TABLE app.heartbeat (id int PRIMARY KEY, beat timestamptz);

ALTER TABLE app.organization REPLICA IDENTITY FULL;
ALTER TABLE app.project REPLICA IDENTITY FULL;
ALTER TABLE app.project_user REPLICA IDENTITY FULL;
ALTER TABLE app.api_key REPLICA IDENTITY FULL;
ALTER TABLE app.service_account REPLICA IDENTITY FULL;
ALTER TABLE app.invite REPLICA IDENTITY FULL;
ALTER TABLE app.rate_limit REPLICA IDENTITY FULL;

CREATE PUBLICATION cdc_archive FOR TABLES IN SCHEMA app;

-- Who did it, by a browser session or by an API key.
CREATE FUNCTION app.by_session(n int) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object('type', 'session', 'session', jsonb_build_object(
    'user', jsonb_build_object('id', 'user_' || n, 'email', 'u' || n || '@example.com'),
    'ip_address', '203.0.113.' || n, 'user_agent', 'Mozilla/5.0')) $$;
CREATE FUNCTION app.by_key(n int) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT jsonb_build_object('type', 'api_key', 'api_key', jsonb_build_object(
    'id', 'key_' || n, 'type', 'service_account',
    'service_account', jsonb_build_object('id', 'svc_' || n))) $$;
