-- An identity that FranceConnect gives for a known account and whose civil traits are others (claim U8): kept sealed, a month at most, so that two opérateurs
-- can compare. One a person: the last seen. `reason`: why the first opérateur asks to accept it.
create table identity_review (
  usager_id text primary key references usager,
  seen_at timestamptz not null,
  traits text[] not null,
  box bytea not null,
  reason text
);
grant select, insert, update, delete on identity_review to relais_app;
create trigger not_erased before insert on identity_review for each row execute function refuse_erased();
create function forget_review() returns trigger language plpgsql as $$
begin
  delete from identity_review where usager_id = new.id;
  return null;
end $$;
create trigger review_goes after update on usager for each row when (old.erased_at is null and new.erased_at is not null) execute function forget_review();

-- Civil traits change in no other way: the application's role may not. Two people approved exactly this change, from what is known now to what is given.
create function accept_identity(of_approval text, given text, family text, preferred text, sex text, born text, place text, country text)
returns void language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  asked record;
  known usager;
begin
  select subject, hash into asked from approval where id = of_approval and kind = 'identity' and approved_by is not null;
  select * into known from usager where id = asked.subject and erased_at is null for update;
  if not found or asked.hash <> sha256(convert_to(array_to_string(array['relais/identity/v1', known.id,
      known.given_name, known.family_name, coalesce(known.preferred_username, ''), known.gender, known.birthdate, known.birthplace, known.birthcountry,
      given, family, coalesce(preferred, ''), sex, born, place, country], E'\n'), 'UTF8')) then
    raise exception 'two people approved no such change of identity' using errcode = 'check_violation';
  end if;
  update usager set given_name = given, family_name = family, preferred_username = preferred, gender = sex, birthdate = born, birthplace = place,
    birthcountry = country where id = known.id;
  delete from identity_review where usager_id = known.id;
end $$;
revoke all on function accept_identity(text, text, text, text, text, text, text, text) from public;
grant execute on function accept_identity(text, text, text, text, text, text, text, text) to relais_app;
