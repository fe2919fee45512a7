-- When each administration stopped a mandate at its services, beside `barred` and in its order: whether it held at an instant is asked afterwards. One
-- without its instant counts from the beginning.
alter table mandate add column barred_at timestamptz[] not null default '{}';
grant update (barred_at) on mandate to relais_app;
create function refuse_other_bar() returns trigger language plpgsql as $$
begin
  if new.barred_at[1:cardinality(old.barred_at)] is distinct from old.barred_at then
    raise exception 'when a mandate was stopped is written once' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger barred_once before update of barred_at on mandate for each row when (cardinality(old.barred_at) > 0) execute function refuse_other_bar();

-- A service names a mandate as it was named to it.
create index delegated_session_identifier on delegated_session (identifier);
