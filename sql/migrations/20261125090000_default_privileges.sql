-- Tables, sequences and functions made later in public are closed to the API until somebody grants what is meant. Projects
-- older than May 2026 gave everything by default, newer ones still TRUNCATE, REFERENCES, TRIGGER and UPDATE of sequences.
alter default privileges in schema public revoke all on tables from public, anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from public, anon, authenticated, service_role;
alter default privileges in schema public revoke all on functions from public, anon, authenticated, service_role;
