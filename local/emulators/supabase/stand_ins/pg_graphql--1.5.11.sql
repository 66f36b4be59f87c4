-- Stand-in for pg_graphql: the entry point exists and answers every query with an error, as GraphQL does.
create function graphql.resolve(
  query text, variables jsonb default '{}', "operationName" text default null, extensions jsonb default null
) returns jsonb language sql immutable as $$
  select jsonb_build_object('data', null, 'errors', jsonb_build_array(jsonb_build_object(
    'message', 'local mode''s stand-in for pg_graphql answers no query')))
$$;
do $$ begin raise warning 'pg_graphql here is the stand-in of local mode: it answers no query'; end $$;
