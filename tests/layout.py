"""What of the repository a client's program reads, for copies and links of it in folders of their own."""

LIBRARIES = ("common", "rest_clients", "pgschema", "supabase_management")
PROGRAM = ("__main__.py", "Pulumi.yaml", "components", *LIBRARIES, "sql", "starter")
