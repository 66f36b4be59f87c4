-- The workflow engine's own role. It works for every organization of the client, so policies do not bind it, and
-- reaches the tables that workflows are about and no other: no accounts, no billing, no history, and it deletes nothing.
-- It cannot log in before it is given a password.
do $$
begin
  -- Needs Postgres 16; before that, only a superuser may let a role pass row-level security, and it sees no row.
  if current_setting('server_version_num')::int >= 160000 then
    create role workflows nologin noinherit bypassrls;
  else
    create role workflows nologin noinherit;
  end if;
exception when duplicate_object or unique_violation then
  null;  -- roles belong to the server, and databases may share one
end
$$;
grant usage on schema public to workflows;
grant select (id, name, slug, status, timezone, currency) on public.organizations to workflows;
grant select on public.companies, public.deals, public.email_templates, public.email_sequences, public.social_accounts,
  public.content_templates to workflows;
grant select, update on public.email_campaigns, public.social_posts to workflows;
grant select, insert on public.email_unsubscribes, public.notifications to workflows;
grant select, insert, update on public.contacts, public.activities, public.email_sends, public.content_queue
  to workflows;
