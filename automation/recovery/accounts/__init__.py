"""What exists in the accounts and in no stack: projects, repositories and sites."""
