-- A client's database as a script of the time before migrations left it: our 21 tables in its own spelling, half of the
-- row-level security, and rows that nothing kept in order. Two organizations: ...1 (Acme) and ...2 (Bolt).
CREATE TYPE user_role AS ENUM ('OWNER', 'ADMIN', 'MEMBER');

CREATE OR REPLACE FUNCTION update_updated_at_column() RETURNS TRIGGER AS $$
BEGIN
  NEW.updated_at = NOW();
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;

CREATE TABLE organizations (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  name VARCHAR(255) NOT NULL,
  slug VARCHAR(100) UNIQUE NOT NULL,
  plan VARCHAR(50) DEFAULT 'starter',
  settings JSONB DEFAULT '{}',
  stripe_customer_id VARCHAR(255),
  created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW()
);
CREATE TABLE users (
  id UUID PRIMARY KEY REFERENCES auth.users(id) ON DELETE CASCADE,
  organization_id UUID REFERENCES organizations(id) ON DELETE CASCADE,
  email VARCHAR(255) NOT NULL,
  name VARCHAR(255),
  role user_role DEFAULT 'MEMBER',
  "lastSeenAt" TIMESTAMP,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW()
);
CREATE TABLE companies (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  name VARCHAR(255) NOT NULL,
  domain VARCHAR(255),
  "employeeCount" INTEGER,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW()
);
CREATE TABLE contacts (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  company_id UUID REFERENCES companies(id) ON DELETE SET NULL,
  email VARCHAR(255),
  "firstName" VARCHAR(100),
  "lastName" VARCHAR(100),
  lifecycle_stage VARCHAR(50) DEFAULT 'lead',
  lead_score INTEGER DEFAULT 0,
  tags TEXT[],
  notes TEXT,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
  updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW()
);
CREATE TABLE deals (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  contact_id UUID REFERENCES contacts(id),
  title VARCHAR(255) NOT NULL,
  value DECIMAL(12,2) DEFAULT 0,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW()
);
CREATE TABLE activities (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  contact_id UUID REFERENCES contacts(id) ON DELETE CASCADE,
  user_id UUID REFERENCES users(id),
  type VARCHAR(50) NOT NULL,
  description TEXT,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW()
);
CREATE TABLE email_templates (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  name VARCHAR(255) NOT NULL,
  subject VARCHAR(500) NOT NULL,
  body_html TEXT NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW()
);
CREATE TABLE email_campaigns (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  template_id UUID REFERENCES email_templates(id),
  name VARCHAR(255) NOT NULL,
  subject VARCHAR(500),
  status VARCHAR(50) DEFAULT 'draft',
  scheduled_at TIMESTAMP WITH TIME ZONE,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW()
);
CREATE TABLE email_sequences (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  name VARCHAR(255) NOT NULL,
  trigger_event VARCHAR(50) NOT NULL DEFAULT 'manual',
  steps JSONB DEFAULT '[]'
);
CREATE TABLE email_sends (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  campaign_id UUID REFERENCES email_campaigns(id),
  contact_id UUID REFERENCES contacts(id),
  email VARCHAR(255) NOT NULL,
  subject VARCHAR(500) NOT NULL,
  status VARCHAR(50) DEFAULT 'queued'
);
CREATE TABLE email_unsubscribes (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  email VARCHAR(255) NOT NULL,
  reason TEXT,
  unsubscribed_at TIMESTAMP WITH TIME ZONE DEFAULT NOW()
);
CREATE TABLE social_accounts (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  platform VARCHAR(50) NOT NULL,
  account_id VARCHAR(255) NOT NULL,
  username VARCHAR(255) NOT NULL,
  access_token TEXT
);
CREATE TABLE social_posts (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  social_account_id UUID REFERENCES social_accounts(id),
  content TEXT NOT NULL,
  status VARCHAR(50) DEFAULT 'draft'
);
CREATE TABLE content_templates (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  name VARCHAR(255) NOT NULL,
  channel VARCHAR(50) NOT NULL,
  body TEXT NOT NULL
);
CREATE TABLE content_queue (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  title VARCHAR(255) NOT NULL,
  channel VARCHAR(50) NOT NULL,
  status VARCHAR(50) DEFAULT 'idea'
);
CREATE TABLE client_usage_metrics (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  metric VARCHAR(100) NOT NULL,
  period_start DATE NOT NULL,
  period_end DATE NOT NULL,
  quantity BIGINT DEFAULT 0
);
CREATE TABLE subscription_history (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  event VARCHAR(50) NOT NULL,
  amount DECIMAL(10,2)
);
CREATE TABLE analytics_snapshots (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  period VARCHAR(20) NOT NULL,
  snapshot_date DATE NOT NULL,
  contacts_total INTEGER
);
CREATE TABLE platform_metrics (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  platform VARCHAR(50) NOT NULL,
  metric VARCHAR(100) NOT NULL,
  measured_on DATE NOT NULL,
  value DECIMAL(18,4) NOT NULL
);
CREATE TABLE notifications (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  user_id UUID REFERENCES users(id),
  kind VARCHAR(50) NOT NULL,
  title VARCHAR(255) NOT NULL
);
CREATE TABLE audit_log (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  user_id UUID REFERENCES users(id),
  action VARCHAR(100) NOT NULL,
  entity_type VARCHAR(100) NOT NULL
);

CREATE INDEX idx_contacts_org ON contacts(organization_id);
CREATE TRIGGER update_contacts_updated_at BEFORE UPDATE ON contacts
  FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
ALTER TABLE organizations ENABLE ROW LEVEL SECURITY;
ALTER TABLE contacts ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Users can manage contacts" ON contacts FOR ALL USING (true);
GRANT ALL ON ALL TABLES IN SCHEMA public TO anon, authenticated, service_role;

INSERT INTO organizations (id, name, slug, stripe_customer_id) VALUES
  ('00000000-0000-4000-8000-000000000001', 'Acme', 'acme', 'cus_1'),
  ('00000000-0000-4000-8000-000000000002', 'Bolt', 'bolt', NULL);
INSERT INTO users (id, organization_id, email, name, role, "lastSeenAt") VALUES
  ('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-000000000001', 'Ann@Acme.example', 'Ann', 'OWNER', '2025-06-01 12:00'),
  ('00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-000000000002', 'bob@bolt.example', NULL, 'OWNER', NULL);
INSERT INTO companies (id, organization_id, name, domain, "employeeCount") VALUES
  ('00000000-0000-4000-8000-000000000c01', '00000000-0000-4000-8000-000000000001', 'Acme customer', 'Shop.Example', 7),
  ('00000000-0000-4000-8000-000000000c02', '00000000-0000-4000-8000-000000000002', 'Bolt customer', NULL, NULL);
INSERT INTO contacts (id, organization_id, company_id, email, "firstName", lifecycle_stage, notes, created_at) VALUES
  ('00000000-0000-4000-8000-000000000d01', '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000c01', 'Eve@Shop.example', 'Eve', 'prospect', 'Likes tea', '2025-01-02 03:04+00'),
  -- Points at Bolt's company.
  ('00000000-0000-4000-8000-000000000d02', '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000c02', NULL, 'Finn', NULL, NULL, NOW()),
  -- The first contact again.
  ('00000000-0000-4000-8000-000000000d03', '00000000-0000-4000-8000-000000000001', NULL, 'eve@shop.example', 'Eve', 'customer', NULL, NOW()),
  -- No address at all.
  ('00000000-0000-4000-8000-000000000d04', '00000000-0000-4000-8000-000000000002', NULL, 'n/a', 'Gus', 'lead', NULL, NOW());
INSERT INTO contacts (organization_id, email, "firstName")
  SELECT '00000000-0000-4000-8000-000000000002', 'person' || n || '@bolt.example', 'P' || n FROM generate_series(1, 500) n;
INSERT INTO deals (organization_id, contact_id, title, value) VALUES
  ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000d01', 'Big deal', 1200.50);
INSERT INTO activities (id, organization_id, contact_id, user_id, type, description) VALUES
  ('00000000-0000-4000-8000-000000000e01', '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000d01', '00000000-0000-4000-8000-0000000000a1', 'call', 'First call'),
  -- On a contact that stays behind, and by a user of the other organization.
  ('00000000-0000-4000-8000-000000000e02', '00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000d04', '00000000-0000-4000-8000-0000000000a1', 'note', 'Wrong number');
INSERT INTO social_accounts (organization_id, platform, account_id, username, access_token) VALUES
  ('00000000-0000-4000-8000-000000000001', 'linkedin', '42', 'acme', 'a token');
INSERT INTO notifications (organization_id, user_id, kind, title) VALUES
  ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-0000000000a1', 'info', 'Yours'),
  -- To somebody of the other organization.
  ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-0000000000b1', 'info', 'Not yours');
INSERT INTO audit_log (organization_id, user_id, action, entity_type) VALUES
  ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-0000000000a1', 'login', 'user');
