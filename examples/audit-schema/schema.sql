-- An API platform's tables, as schemas/mappings/openai.toml expects them: all 55 audit-log types of
-- OpenAI's that have a payload can be regenerated from what changes in them.
--
--   psql -d DATABASE -v ON_ERROR_STOP=1 -f schema.sql        (PostgreSQL 15 or newer)
--
-- Three customs carry the audit log:
--   * deletion is soft (`deleted_at`), so that who did it can be written on the row. A later DELETE of
--     such a row is its purge and no event. A row may be deleted for good all the same, as those of
--     project_user always are: who did that is told by a logical message or an audit_context row (see
--     examples/actor).
--   * what is a state of its own has a column of its own: status, archived_at, active, enabled.
--   * created_by, updated_by, deleted_by hold the actor as JSON, in the shape of the audit log's actor.
CREATE SCHEMA platform;
SET search_path = platform;

-- --- Who is who ---------------------------------------------------------------------------------

CREATE TABLE organization (
  id text PRIMARY KEY,
  name text NOT NULL,
  title text,
  description text,
  threads_ui_visibility text CHECK (threads_ui_visibility IN ('ANY_ROLE', 'OWNERS', 'NONE')),
  usage_dashboard_visibility text CHECK (usage_dashboard_visibility IN ('ANY_ROLE', 'OWNERS')),
  api_call_logging text CHECK (api_call_logging IN ('disabled', 'enabled_per_call',
    'enabled_for_all_projects', 'enabled_for_selected_projects')),
  api_call_logging_project_ids text[],
  scim_enabled boolean NOT NULL DEFAULT false,
  billing_email text,                                      -- changes of it are no event
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz,
  created_by jsonb, updated_by jsonb);

CREATE TABLE account (                                     -- people; their memberships are below
  id text PRIMARY KEY,
  email text NOT NULL UNIQUE,
  full_name text,
  created_at timestamptz NOT NULL DEFAULT now());

CREATE TABLE organization_user (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,      -- the user's id is not in the key: see below
  organization_id text NOT NULL REFERENCES organization,
  user_id text NOT NULL REFERENCES account,
  role text NOT NULL CHECK (role IN ('owner', 'reader')),
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz, deleted_at timestamptz,
  created_by jsonb, updated_by jsonb, deleted_by jsonb);
CREATE UNIQUE INDEX ON organization_user (organization_id, user_id) WHERE deleted_at IS NULL;

CREATE TABLE invite (
  id text PRIMARY KEY,
  organization_id text NOT NULL REFERENCES organization,
  email text NOT NULL,
  role text NOT NULL CHECK (role IN ('owner', 'reader')),
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'accepted', 'expired')),
  expires_at timestamptz NOT NULL DEFAULT now() + interval '7 days',
  accepted_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz, deleted_at timestamptz,
  created_by jsonb, updated_by jsonb, deleted_by jsonb);

-- One row for each try to log in; the password is never here. `email` is what was typed.
CREATE TABLE login_attempt (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id text REFERENCES account,
  email text,
  succeeded boolean NOT NULL,
  error_code text, error_message text,
  at timestamptz NOT NULL DEFAULT now(),
  created_by jsonb);

CREATE TABLE session (
  id text PRIMARY KEY,
  user_id text NOT NULL REFERENCES account,
  expires_at timestamptz NOT NULL DEFAULT now() + interval '12 hours',
  last_seen_at timestamptz,
  logged_out_at timestamptz,                               -- stays null if the session just expires
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by jsonb, updated_by jsonb);

-- A logout that went wrong, for example at the identity provider.
CREATE TABLE logout_attempt (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  session_id text REFERENCES session ON DELETE SET NULL,
  succeeded boolean NOT NULL,
  error_code text, error_message text,
  at timestamptz NOT NULL DEFAULT now(),
  created_by jsonb);

-- --- Projects and what is in them ---------------------------------------------------------------

CREATE TABLE project (
  id text PRIMARY KEY,
  organization_id text NOT NULL REFERENCES organization,
  name text NOT NULL,
  title text NOT NULL,
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'archived')),
  archived_at timestamptz,
  instructions text,                                       -- large: kept out of line
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz, deleted_at timestamptz,
  created_by jsonb, updated_by jsonb, deleted_by jsonb);
ALTER TABLE project ALTER COLUMN instructions SET STORAGE EXTERNAL;

CREATE TABLE project_user (
  project_id text NOT NULL REFERENCES project ON DELETE CASCADE,
  user_id text NOT NULL REFERENCES account,
  role text NOT NULL CHECK (role IN ('owner', 'member')),
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz,
  created_by jsonb, updated_by jsonb,
  PRIMARY KEY (project_id, user_id));

CREATE TABLE service_account (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES project ON DELETE CASCADE,
  name text NOT NULL,
  role text NOT NULL CHECK (role IN ('owner', 'member')),
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz, deleted_at timestamptz,
  created_by jsonb, updated_by jsonb, deleted_by jsonb);

CREATE TABLE api_key (
  id text PRIMARY KEY,                                     -- the tracking id; only a hash of the secret
  project_id text NOT NULL REFERENCES project ON DELETE CASCADE,
  service_account_id text REFERENCES service_account ON DELETE CASCADE,
  name text,
  secret_hash bytea NOT NULL,
  scopes text[] NOT NULL,
  last_used_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz, deleted_at timestamptz,
  created_by jsonb, updated_by jsonb, deleted_by jsonb);

-- A row stands for an override of the model's default.
CREATE TABLE rate_limit (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES project ON DELETE CASCADE,
  model text NOT NULL,
  max_requests_per_1_minute int, max_tokens_per_1_minute int, max_images_per_1_minute int,
  max_audio_megabytes_per_1_minute int, max_requests_per_1_day int,
  batch_1_day_max_input_tokens bigint,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz, deleted_at timestamptz,
  created_by jsonb, updated_by jsonb, deleted_by jsonb);
CREATE UNIQUE INDEX ON rate_limit (project_id, model) WHERE deleted_at IS NULL;

-- Which project may use a fine-tuned model's checkpoint.
CREATE TABLE checkpoint_permission (
  id text PRIMARY KEY,
  project_id text NOT NULL REFERENCES project ON DELETE CASCADE,
  fine_tuned_model_checkpoint text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz,
  created_by jsonb, deleted_by jsonb);

-- --- Security of an organization ----------------------------------------------------------------

-- A key of the customer's own, in the customer's key store. `config` is where it is, never the key.
CREATE TABLE external_key (
  id text PRIMARY KEY,
  organization_id text NOT NULL REFERENCES organization,
  config jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz,
  created_by jsonb, deleted_by jsonb);

CREATE TABLE certificate (
  id text PRIMARY KEY,
  organization_id text NOT NULL REFERENCES organization,
  name text NOT NULL,
  content text NOT NULL,                                   -- PEM
  active boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz, deleted_at timestamptz,
  created_by jsonb, updated_by jsonb, deleted_by jsonb);

CREATE TABLE ip_allowlist (
  id text PRIMARY KEY,
  organization_id text NOT NULL REFERENCES organization,
  name text NOT NULL,
  allowed_ips text[] NOT NULL,
  active boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz, deleted_at timestamptz,
  created_by jsonb, updated_by jsonb, deleted_by jsonb);

CREATE TABLE workload_identity_provider (
  id text PRIMARY KEY,
  organization_id text NOT NULL REFERENCES organization,
  name text NOT NULL,
  description text,
  issuer text NOT NULL,
  audiences text[] NOT NULL,
  enabled boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz, deleted_at timestamptz,
  created_by jsonb, updated_by jsonb, deleted_by jsonb);

-- Which tokens of a provider act as which service account.
CREATE TABLE workload_identity_provider_mapping (
  id text PRIMARY KEY,
  identity_provider_id text NOT NULL REFERENCES workload_identity_provider,
  project_id text NOT NULL REFERENCES project ON DELETE CASCADE,
  service_account_id text NOT NULL REFERENCES service_account ON DELETE CASCADE,
  name text NOT NULL,
  conditions jsonb NOT NULL DEFAULT '{}',                  -- claims that a token must have
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz, deleted_at timestamptz,
  created_by jsonb, updated_by jsonb, deleted_by jsonb);

-- --- Groups and roles ---------------------------------------------------------------------------

CREATE TABLE "group" (
  id text PRIMARY KEY,
  organization_id text NOT NULL REFERENCES organization,
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz, deleted_at timestamptz,
  created_by jsonb, updated_by jsonb, deleted_by jsonb);

CREATE TABLE role (
  id text PRIMARY KEY,
  name text NOT NULL,
  description text,
  permissions text[] NOT NULL,
  resource_type text NOT NULL CHECK (resource_type IN ('organization', 'project')),
  resource_id text NOT NULL,
  metadata jsonb,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz, deleted_at timestamptz,
  created_by jsonb, updated_by jsonb, deleted_by jsonb);

CREATE TABLE role_assignment (                             -- a user or a group has a role on a resource
  id text PRIMARY KEY,
  role_id text NOT NULL REFERENCES role,
  principal_type text NOT NULL CHECK (principal_type IN ('user', 'group')),
  principal_id text NOT NULL,
  resource_type text NOT NULL,
  resource_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz,
  created_by jsonb, deleted_by jsonb);

CREATE TABLE role_binding (                                -- a role is usable on a resource
  id text PRIMARY KEY,
  role_id text NOT NULL REFERENCES role,
  resource_type text NOT NULL,
  resource_id text NOT NULL,
  permissions text[] NOT NULL,
  workspace_id text,
  connector_id text, connector_name text,
  enabled boolean NOT NULL DEFAULT true,
  source text NOT NULL CHECK (source IN ('role_toggle', 'role_connector_update', 'role_delete',
    'workspace_permissions', 'connector_publish')),
  created_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz,
  created_by jsonb, deleted_by jsonb);

-- --- What tells the actor where the row cannot (examples/actor) ----------------------------------

-- At most one row a transaction, written in it. Old rows may be deleted: the archive keeps them.
CREATE TABLE audit_context (
  transaction_id bigint PRIMARY KEY DEFAULT pg_current_xact_id()::text::bigint,
  actor jsonb NOT NULL,
  at timestamptz NOT NULL DEFAULT now());

-- The outbox of domain events that many applications have already; its actor serves as well.
CREATE TABLE outbox (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  aggregatetype text NOT NULL,
  aggregateid text NOT NULL,
  type text NOT NULL,
  payload jsonb NOT NULL,                                  -- {"actor": ..., ...}
  at timestamptz NOT NULL DEFAULT now());

-- --- Replica identities -------------------------------------------------------------------------
-- FULL puts the whole row before the change into every UPDATE and DELETE: more WAL, but each event is
-- exact by its own message. DEFAULT gives the key alone: replay then takes the version before from the
-- archive and marks it `reconstructed`, which needs the row's snapshot or INSERT to be in the archive.

-- The rule compares columns, or the event of a DELETE needs more than the key.
ALTER TABLE organization REPLICA IDENTITY FULL;
ALTER TABLE organization_user REPLICA IDENTITY FULL;       -- user.deleted wants user_id: not in the key
ALTER TABLE invite REPLICA IDENTITY FULL;                  -- a DELETE is an event only while pending
ALTER TABLE api_key REPLICA IDENTITY FULL;                 -- scopes: requested or just touched?
ALTER TABLE service_account REPLICA IDENTITY FULL;
ALTER TABLE rate_limit REPLICA IDENTITY FULL;              -- six columns compared; DELETE wants project_id
ALTER TABLE checkpoint_permission REPLICA IDENTITY FULL;   -- DELETE wants project_id
ALTER TABLE certificate REPLICA IDENTITY FULL;             -- certificate.deleted wants name and content
ALTER TABLE ip_allowlist REPLICA IDENTITY FULL;
ALTER TABLE workload_identity_provider REPLICA IDENTITY FULL;
ALTER TABLE workload_identity_provider_mapping REPLICA IDENTITY FULL;
ALTER TABLE role REPLICA IDENTITY FULL;                    -- permissions_added and _removed
ALTER TABLE role_assignment REPLICA IDENTITY FULL;         -- DELETE wants principal and resource
ALTER TABLE role_binding REPLICA IDENTITY FULL;            -- DELETE wants everything

-- project: DEFAULT. FULL would write `instructions` twice at each rename; the archive has it.
-- project_user: DEFAULT. Both ids are in the key; a changed role is compared with the archive's.
-- session: DEFAULT. Written at every request; only logged_out_at matters.
-- "group", external_key: DEFAULT. Small, seldom changed; their events need id and name only.
-- account, login_attempt, logout_attempt, audit_context, outbox: DEFAULT. Inserts alone are read.

-- --- The publication ----------------------------------------------------------------------------
-- Logical messages need no entry here: pgoutput sends them of its own accord when asked (14 or newer,
-- Debezium asks). `account` is published for the e-mail addresses to be in the archive.
CREATE PUBLICATION platform_audit FOR TABLES IN SCHEMA platform;

RESET search_path;
