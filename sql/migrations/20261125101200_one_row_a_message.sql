-- transaction: none
-- A provider reports by its message id alone, so that comes first. Unique in an organization, because a key across
-- them would tell one what another has. Sends whose provider is not known count as those of one.
create unique index concurrently if not exists email_sends_message_key
  on public.email_sends (provider_message_id, provider, organization_id) nulls not distinct
  where provider_message_id is not null;
