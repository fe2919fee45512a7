-- When each signing key of the provider was published, put in force and revoked. Times alone: the keys are files, and no row can bring one.
create table signing_key (
  kid text primary key check (kid ~ '^[A-Za-z0-9_-]{16}$'),
  alg text not null check (alg in ('ES256', 'RS256')),
  published_at timestamptz not null,
  promoted_at timestamptz check (promoted_at >= published_at),
  revoked_at timestamptz
);
grant select, insert on signing_key to relais_app;
grant update (promoted_at, revoked_at) on signing_key to relais_app;

-- A key that was revoked never comes back, and one that was published is not said to be older.
create function guard_signing_key() returns trigger language plpgsql as $$
begin
  if old.revoked_at is not null and (new.revoked_at is distinct from old.revoked_at or new.promoted_at is distinct from old.promoted_at) then
    raise exception 'a revoked signing key never comes back' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger never_back before update on signing_key for each row execute function guard_signing_key();
