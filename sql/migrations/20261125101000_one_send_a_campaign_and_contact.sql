-- transaction: none
-- One send for a campaign and contact. Not partial, so that the API can upsert on these columns; sends without a
-- campaign, or without a contact, do not collide. An error here means that a send was repeated while this ran: run
-- select private.detach_repeated_sends() and apply again.
create unique index concurrently if not exists email_sends_contact_campaign_key
  on public.email_sends (organization_id, contact_id, campaign_id);
