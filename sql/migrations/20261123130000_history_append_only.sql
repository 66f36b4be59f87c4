-- History is added to and never rewritten, not even with the secret key; it goes with its organization only.
revoke update, delete on public.audit_log from service_role;
-- Who asks is answered once a query, so asking must not keep Postgres from sharing the rest among its workers.
alter function private.current_organization() parallel safe;
alter function private.current_member() parallel safe;
alter function private.current_member_role() parallel safe;
