-- A service's former secret stands beside the next one until the date of their revision. One opérateur ends it sooner: what was ended stays so.
alter table service add column ended_secrets text[] not null default '{}';
grant update (ended_secrets) on service to relais_app;
create function guard_ended_secrets() returns trigger language plpgsql as $$
begin
  if not new.ended_secrets @> old.ended_secrets then
    raise exception 'a secret that was ended never comes back' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger never_back before update of ended_secrets on service for each row execute function guard_ended_secrets();
