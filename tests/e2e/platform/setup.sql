-- After examples/audit-schema/schema.sql and examples/actor/*.sql: which tables tell how.
SET search_path = platform;
CALL fill_actor_of('ip_allowlist', 'external_key');
CALL tell_actor_of('"group"', 'role', 'role_assignment');
INSERT INTO organization (id, name, title) VALUES ('org_1', 'acme', 'Acme');
INSERT INTO account (id, email) SELECT 'user_' || n, 'u' || n || '@example.com' FROM generate_series(1, 9) n;
