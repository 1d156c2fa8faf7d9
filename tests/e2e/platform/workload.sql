-- Every act that makes an audit event is matched by EXPECTED in test_examples.py, in this order.
SET search_path = platform;
CREATE FUNCTION pg_temp.person(n int) RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_build_object('type', 'session', 'session', jsonb_build_object(
    'user', jsonb_build_object('id', 'user_' || n, 'email', 'u' || n || '@example.com'),
    'ip_address', '203.0.113.' || n, 'user_agent', 'Mozilla/5.0', 'ja3', md5(n::text), 'ja4', 't13d_' || n,
    'ip_address_details', jsonb_build_object('country', 'NL', 'city', '’s-Hertogenbosch', 'region', 'Noord-Brabant',
      'region_code', 'NB', 'asn', 64496 + n, 'latitude', 51.69917, 'longitude', 5.30417))) $$;
CREATE FUNCTION pg_temp.key(n int) RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_build_object('type', 'api_key', 'api_key', jsonb_build_object('tracking_id', 'key_' || n,
    'type', 'service_account', 'service_account', jsonb_build_object('id', 'svc_' || n))) $$;
-- The application's own settings, as its connections would say them.
CREATE FUNCTION pg_temp.acts(actor jsonb) RETURNS text LANGUAGE sql AS $$
  SELECT set_config('audit.actor', actor::text, true) $$;
CREATE FUNCTION pg_temp.tell(actor jsonb) RETURNS pg_lsn LANGUAGE sql AS $$
  SELECT pg_logical_emit_message(true, 'audit.actor', actor::text) $$;

-- --- Columns, written by the application --------------------------------------------------------
INSERT INTO project (id, organization_id, name, title, instructions, created_by) VALUES ('proj_1', 'org_1', 'one', 'One', repeat(md5('x'), 200), pg_temp.person(1));
UPDATE project SET title = 'Uno', updated_by = pg_temp.person(2) WHERE id = 'proj_1';
INSERT INTO project_user (project_id, user_id, role, created_by) VALUES ('proj_1', 'user_5', 'member', pg_temp.person(1));
UPDATE project_user SET role = 'owner', updated_by = pg_temp.key(2) WHERE user_id = 'user_5';
UPDATE project_user SET role = 'member' WHERE user_id = 'user_5';  -- nobody says who: stale
UPDATE project SET name = 'uno' WHERE id = 'proj_1';               -- the name of all that comes
INSERT INTO project (id, organization_id, name, title, created_by) VALUES ('proj_2', 'org_1', 'two', 'Two', pg_temp.person(1));
UPDATE project SET status = 'archived', archived_at = now(), updated_by = pg_temp.person(3) WHERE id = 'proj_2';

-- --- Columns, filled by the trigger; the same person twice in a row -----------------------------
BEGIN;
SELECT pg_temp.acts(pg_temp.person(4));
INSERT INTO ip_allowlist (id, organization_id, name, allowed_ips) VALUES ('ip_1', 'org_1', 'office', '{192.0.2.0/24}'), ('ip_2', 'org_1', 'home', '{198.51.100.7}');
COMMIT;
BEGIN; SELECT pg_temp.acts(pg_temp.person(4)); UPDATE ip_allowlist SET allowed_ips = '{192.0.2.0/25}' WHERE id = 'ip_1'; COMMIT;
BEGIN; SELECT pg_temp.acts(pg_temp.person(4)); UPDATE ip_allowlist SET active = true; COMMIT;
UPDATE ip_allowlist SET active = false WHERE id = 'ip_2';          -- no actor was said
BEGIN; SELECT pg_temp.acts(pg_temp.key(4)); UPDATE ip_allowlist SET deleted_at = now() WHERE id = 'ip_2'; COMMIT;
DELETE FROM ip_allowlist WHERE id = 'ip_2';                        -- its purge
BEGIN; SELECT pg_temp.acts(pg_temp.person(5)); INSERT INTO external_key (id, organization_id, config) VALUES ('ext_1', 'org_1', '{"arn": "arn:aws:kms:1", "version": 1.50}'); COMMIT;
BEGIN; SELECT pg_temp.acts(pg_temp.person(5)); UPDATE external_key SET deleted_at = now(); COMMIT;

-- --- Messages, sent by hand: before, after, and between the rows; rows that are gone ------------
BEGIN;
SELECT pg_temp.tell(pg_temp.person(6));
INSERT INTO certificate (id, organization_id, name, content) VALUES ('cert_1', 'org_1', 'edge', '-----BEGIN CERTIFICATE-----'), ('cert_2', 'org_1', 'core', '-----BEGIN CERTIFICATE-----');
COMMIT;
BEGIN; UPDATE certificate SET name = 'rim' WHERE id = 'cert_1'; SELECT pg_temp.tell(pg_temp.person(6)); COMMIT;
BEGIN;
UPDATE certificate SET active = true WHERE id = 'cert_1';
SELECT pg_temp.tell(pg_temp.person(7));
UPDATE certificate SET active = true WHERE id = 'cert_2';
COMMIT;
BEGIN; SELECT pg_temp.tell(pg_temp.key(7)); UPDATE certificate SET active = false; COMMIT;
BEGIN; DELETE FROM certificate WHERE id = 'cert_2'; SELECT pg_temp.tell(pg_temp.key(7)); COMMIT;
BEGIN; SELECT pg_temp.tell(pg_temp.person(1)); INSERT INTO checkpoint_permission (id, project_id, fine_tuned_model_checkpoint) VALUES ('cp_1', 'proj_1', 'ft:m:1'); COMMIT;
BEGIN; SELECT pg_temp.tell(pg_temp.person(2)); DELETE FROM checkpoint_permission; COMMIT;
BEGIN; SELECT pg_temp.tell(pg_temp.person(3)); DELETE FROM project WHERE id = 'proj_2'; COMMIT;
BEGIN; SELECT pg_temp.tell(pg_temp.person(4)); DELETE FROM project_user; COMMIT;
BEGIN;  -- two people in one transaction
SELECT pg_temp.tell(pg_temp.person(1));
INSERT INTO organization_user (organization_id, user_id, role) VALUES ('org_1', 'user_1', 'owner');
SELECT pg_temp.tell(pg_temp.person(2));
COMMIT;
SELECT pg_logical_emit_message(false, 'audit.actor', pg_temp.person(9)::text);  -- nobody's: not transactional
UPDATE organization_user SET role = 'reader' WHERE user_id = 'user_1';

-- --- Messages, sent by the trigger; a savepoint takes the first one with it ---------------------
BEGIN; SELECT pg_temp.acts(pg_temp.person(1)); INSERT INTO "group" (id, organization_id, name) VALUES ('group_1', 'org_1', 'Writers'); COMMIT;
BEGIN;
SELECT pg_temp.acts(pg_temp.person(2));
SAVEPOINT s;
UPDATE "group" SET name = 'Nobody';
ROLLBACK TO SAVEPOINT s;
UPDATE "group" SET name = 'Authors';
COMMIT;
BEGIN; SELECT pg_temp.acts(pg_temp.person(3)); UPDATE "group" SET deleted_at = now(); COMMIT;
BEGIN;
SELECT pg_temp.acts(pg_temp.person(4));
INSERT INTO role (id, name, permissions, resource_type, resource_id) VALUES ('role_1', 'writer', '{a,b}', 'project', 'proj_1');
INSERT INTO role_assignment (id, role_id, principal_type, principal_id, resource_type, resource_id) VALUES ('ra_1', 'role_1', 'user', 'user_5', 'project', 'proj_1');
COMMIT;
BEGIN; SELECT pg_temp.acts(pg_temp.person(5)); UPDATE role SET permissions = '{c,b}', metadata = '{"team": "x"}'; COMMIT;
BEGIN; SELECT pg_temp.acts(pg_temp.key(6)); DELETE FROM role_assignment; COMMIT;

-- --- A row of its own, before or after; an outbox -----------------------------------------------
BEGIN;
CALL note_actor(pg_temp.person(7));
INSERT INTO workload_identity_provider (id, organization_id, name, issuer, audiences) VALUES ('wip_1', 'org_1', 'ci', 'https://ci.example', '{a}');
COMMIT;
BEGIN;
UPDATE workload_identity_provider SET audiences = '{a,b}';
CALL note_actor(pg_temp.key(7));
CALL note_actor(pg_temp.key(8));  -- the first one stands
COMMIT;
BEGIN;
INSERT INTO service_account (id, project_id, name, role) VALUES ('svc_1', 'proj_1', 'ci', 'member');
INSERT INTO workload_identity_provider_mapping (id, identity_provider_id, project_id, service_account_id, name, conditions) VALUES ('map_1', 'wip_1', 'proj_1', 'svc_1', 'main', '{"ref": "main"}');
CALL note_actor(pg_temp.person(8));
COMMIT;
BEGIN; CALL note_actor(pg_temp.person(9)); UPDATE workload_identity_provider_mapping SET name = 'trunk'; COMMIT;
BEGIN; CALL note_actor(pg_temp.person(9)); DELETE FROM workload_identity_provider_mapping; UPDATE workload_identity_provider SET deleted_at = now(); COMMIT;
BEGIN;
INSERT INTO role_binding (id, role_id, resource_type, resource_id, permissions, source) VALUES ('rb_1', 'role_1', 'project', 'proj_1', '{c}', 'role_toggle');
INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('role', 'role_1', 'bound', jsonb_build_object('actor', pg_temp.person(1)));
COMMIT;
BEGIN;
INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ('role', 'role_1', 'unbound', jsonb_build_object('actor', pg_temp.person(2)));
DELETE FROM role_binding;
COMMIT;
BEGIN; SELECT pg_temp.acts(pg_temp.person(3)); UPDATE role SET deleted_at = now(); COMMIT;
