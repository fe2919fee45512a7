-- Words of product.md, one table a thing. Themes are checked by one function, so that the ten stand once in the database.
create function themes_known(themes text[]) returns boolean language sql immutable as $$
  select coalesce(themes <@ array['papiers', 'famille', 'social', 'travail', 'logement', 'transports', 'argent', 'justice', 'etranger', 'loisirs'], false)
$$;

-- Fingerprints of the keys that must never change under a database (architecture.md, keys/).
create table key_fingerprint (name text primary key, fingerprint text not null);

create table organisation (
  id text primary key,
  name text not null,
  siret text not null unique check (siret ~ '^[0-9]{14}$'),
  themes text[] not null check (themes_known(themes)),
  status text not null check (status in ('active', 'suspended', 'ended')),
  created_at timestamptz not null
);

-- Everyone who signs in through ProConnect: aidants (référents are aidants with a role), agents of administrations, opérateurs.
create table staff (
  id text primary key,
  kind text not null check (kind in ('aidant', 'agent', 'operateur')),
  email text not null,
  given_name text not null,
  family_name text not null,
  status text not null check (status in ('invited', 'active', 'suspended', 'ended')),
  created_at timestamptz not null
);
create table staff_identity (
  iss text not null,
  sub text not null,
  staff_id text not null references staff,
  linked_at timestamptz not null,
  primary key (iss, sub)
);
create index staff_identity_staff on staff_identity (staff_id);

-- Second factor. The seed is sealed with a key that is not in the database; last_step makes each code single-use and increasing.
create table totp (
  staff_id text primary key references staff,
  seed_box bytea not null,
  confirmed_at timestamptz,
  last_step bigint not null default 0,
  failures int not null default 0,
  locked_until timestamptz
);
create table enrolment (
  token_hash bytea primary key,
  staff_id text not null references staff,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index enrolment_staff on enrolment (staff_id);

create table membership (
  aidant_id text not null references staff,
  organisation_id text not null references organisation,
  themes text[] not null check (themes_known(themes)),
  referent boolean not null default false,
  status text not null check (status in ('active', 'suspended', 'ended')),
  primary key (aidant_id, organisation_id)
);
create index membership_organisation on membership (organisation_id);

create table administration (id text primary key, name text not null, created_at timestamptz not null);
create table agent (
  staff_id text primary key references staff,
  administration_id text not null references administration
);

-- The second person. The database itself refuses the same person twice, and an approval of anything but what was asked.
create table approval (
  id text primary key,
  kind text not null,
  subject text not null,
  hash bytea not null check (octet_length(hash) = 32),
  asked_by text not null,
  asked_at timestamptz not null,
  approved_by text,
  approved_at timestamptz,
  approved_hash bytea,
  check (approved_by is null or asked_by <> approved_by),
  check (approved_by is null or approved_hash = hash),
  check ((approved_by is null) = (approved_at is null))
);
create index approval_open on approval (asked_at) where approved_by is null;

create table usager (
  id text primary key,
  given_name text not null,
  family_name text not null,
  preferred_username text,
  gender text not null,
  birthdate text not null,
  birthplace text not null,
  birthcountry text not null,
  email text,
  created_at timestamptz not null
);
create index usager_pivot on usager (birthdate, lower(family_name));
create table usager_identity (
  iss text not null,
  sub text not null,
  usager_id text not null references usager,
  linked_at timestamptz not null,
  primary key (iss, sub)
);
create index usager_identity_usager on usager_identity (usager_id);

create table service (
  id text primary key check (id ~ '^[a-z0-9][a-z0-9-]{1,62}$'),
  name text not null,
  administration_id text not null references administration,
  profile text not null check (profile in ('standard', 'fapi2')),
  sector text not null,
  themes text[] not null check (themes_known(themes) and cardinality(themes) > 0),
  delegation_supported boolean not null,
  minimum_consent text not null default 'eidas1',
  metadata jsonb not null,
  status text not null check (status in ('pending', 'approved', 'disabled')),
  version int not null default 1,
  created_at timestamptz not null
);
create table demarche (
  service_id text not null references service,
  code text not null,
  label_fr text not null,
  label_en text not null,
  themes text[] not null check (themes_known(themes) and cardinality(themes) > 0),
  effect text not null check (effect in ('read', 'declare', 'change')),
  primary key (service_id, code)
);

-- The recap that two people agree on. `text_hash` is what both wills refer to; a draft becomes at most one mandate.
create table mandate_draft (
  id text primary key,
  organisation_id text not null references organisation,
  aidant_id text not null references staff,
  themes text[] not null check (themes_known(themes) and cardinality(themes) > 0),
  days int not null check (days in (1, 31, 182, 365)),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  usager_id text references usager,
  consent_method text check (consent_method in ('franceconnect', 'sms', 'paper')),
  consent_acr text,
  consent_evidence bytea,
  consented_at timestamptz,
  text_hash bytea,
  closed_at timestamptz,
  check ((usager_id is null) = (consented_at is null))
);

create table mandate (
  id text primary key,
  reference text not null unique,
  draft_id text not null unique references mandate_draft,
  organisation_id text not null references organisation,
  usager_id text not null references usager,
  template text not null,
  text_hash bytea not null,
  days int not null check (days between 1 and 365),
  starts_at timestamptz not null,
  ends_at timestamptz not null check (ends_at > starts_at and ends_at <= starts_at + interval '366 days'),
  consent_method text not null check (consent_method in ('franceconnect', 'sms', 'paper')),
  consent_acr text not null,
  consent_evidence bytea not null,
  consented_at timestamptz not null,
  accepted_by text not null references staff,
  accepted_at timestamptz not null,
  acceptance_means text not null,
  ended_at timestamptz,
  end_reason text check (end_reason in ('revoked', 'renounced', 'replaced', 'expired', 'death', 'guardianship', 'organisation_ended')),
  ended_by text,
  check ((ended_at is null) = (end_reason is null))
);
create index mandate_usager on mandate (usager_id, ends_at desc);
create index mandate_organisation_live on mandate (organisation_id, ends_at) where ended_at is null;

create table mandate_grant (
  mandate_id text not null references mandate,
  theme text not null check (themes_known(array[theme])),
  organisation_id text not null,
  usager_id text not null,
  ended_at timestamptz,
  end_reason text check (end_reason in ('revoked', 'renounced', 'replaced', 'expired', 'death', 'guardianship', 'organisation_ended')),
  primary key (mandate_id, theme),
  check ((ended_at is null) = (end_reason is null))
);
-- At most one active grant per (organisation, usager, theme), whatever the code does.
create unique index mandate_grant_active on mandate_grant (organisation_id, usager_id, theme) where ended_at is null;

-- What has ended stays ended (claim M20), for every role that the triggers bind.
create function refuse_revival() returns trigger language plpgsql as $$
begin
  if old.ended_at is not null and (new.ended_at is distinct from old.ended_at or new.end_reason is distinct from old.end_reason) then
    raise exception '% has ended: it cannot be changed', tg_table_name using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger no_revival before update on mandate for each row execute function refuse_revival();
create trigger no_revival before update on mandate_grant for each row execute function refuse_revival();

-- A browser session of ours. The cookie holds the token, the table its hash.
create table web_session (
  hash bytea primary key,
  kind text not null check (kind in ('anonymous', 'staff', 'usager')),
  holder_id text,
  organisation_id text references organisation,
  data jsonb not null,
  created_at timestamptz not null,
  seen_at timestamptz not null,
  ended_at timestamptz
);
create index web_session_holder on web_session (holder_id) where ended_at is null;
create index web_session_seen on web_session (seen_at);

-- aidant × mandate × service × theme, thirty minutes at most. The provider's grant is alive only while this row and its mandate are.
create table delegated_session (
  id text primary key,
  grant_id text not null unique,
  web_session bytea not null,
  mandate_id text not null references mandate,
  theme text not null,
  aidant_id text not null references staff,
  organisation_id text not null references organisation,
  usager_id text not null references usager,
  service_id text not null references service,
  acr text not null,
  aidant_acr text not null,
  aidant_amr text[] not null,
  auth_time timestamptz not null,
  privileges text[] not null,
  identifier uuid not null,
  opened_event uuid not null,
  opened_at timestamptz not null,
  expires_at timestamptz not null check (expires_at <= opened_at + interval '30 minutes'),
  ended_at timestamptz,
  end_reason text check (end_reason in ('revoked', 'renounced', 'replaced', 'expired', 'other_person', 'signed_out', 'superseded', 'suspended', 'code_replayed', 'time')),
  reported_at timestamptz,
  check ((ended_at is null) = (end_reason is null)),
  foreign key (mandate_id, theme) references mandate_grant (mandate_id, theme)
);
create index delegated_session_web on delegated_session (web_session) where ended_at is null;
create index delegated_session_mandate on delegated_session (mandate_id) where ended_at is null;
create index delegated_session_open on delegated_session (expires_at) where ended_at is null;
create index delegated_session_usager on delegated_session (usager_id, opened_at desc);
create trigger no_revival before update on delegated_session for each row execute function refuse_revival();

create table action (
  service_id text not null references service,
  source text not null,
  event_key text not null,
  body_hash bytea not null,
  session_id text not null references delegated_session,
  event_id uuid not null,
  received_at timestamptz not null,
  primary key (service_id, source, event_key)
);
create index action_session on action (session_id);

-- What is told to whom: one table, one worker. `target` is a service id, or nothing that names a person; what is personal is in the sealed body.
create table delivery (
  id text primary key,
  kind text not null check (kind in ('logout', 'mail', 'sms')),
  target text not null,
  session_id text references delegated_session,
  mandate_id text references mandate,
  body_box bytea,
  created_at timestamptz not null,
  attempts int not null default 0,
  next_at timestamptz not null,
  locked_until timestamptz,
  done_at timestamptz,
  acknowledged_at timestamptz,
  last_error text
);
create index delivery_due on delivery (next_at) where done_at is null;
create index delivery_mandate on delivery (mandate_id);

grant select on organisation, staff, staff_identity, totp, enrolment, membership, administration, agent, approval, usager, usager_identity, service,
  demarche, mandate_draft, mandate, mandate_grant, web_session, delegated_session, action, delivery, key_fingerprint to relais_app;
grant insert on organisation, staff, staff_identity, totp, enrolment, membership, administration, agent, approval, usager, usager_identity, service,
  demarche, mandate_draft, mandate, mandate_grant, web_session, delegated_session, action, delivery, key_fingerprint to relais_app;
grant update (status, themes, name) on organisation to relais_app;
grant update (status, email, given_name, family_name) on staff to relais_app;
grant update (seed_box, confirmed_at, last_step, failures, locked_until) on totp to relais_app;
grant update (used_at) on enrolment to relais_app;
grant update (themes, referent, status) on membership to relais_app;
grant update (approved_by, approved_at, approved_hash) on approval to relais_app;
grant update (preferred_username, email) on usager to relais_app;
grant update (status, version, metadata, themes, name, delegation_supported) on service to relais_app;
grant update (usager_id, consent_method, consent_acr, consent_evidence, consented_at, text_hash, closed_at) on mandate_draft to relais_app;
grant update (ended_at, end_reason, ended_by) on mandate to relais_app;
grant update (ended_at, end_reason) on mandate_grant to relais_app;
grant update, delete on web_session to relais_app;
grant update (ended_at, end_reason, reported_at) on delegated_session to relais_app;
grant update on delivery to relais_app;
grant delete on demarche, enrolment to relais_app;
