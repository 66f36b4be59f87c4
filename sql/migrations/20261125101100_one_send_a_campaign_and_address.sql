-- transaction: none
-- The same for addresses, which also serves sends without a contact, and finds what was sent to an address.
create unique index concurrently if not exists email_sends_email_campaign_key
  on public.email_sends (organization_id, email, campaign_id);
