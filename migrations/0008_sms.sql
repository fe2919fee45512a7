-- Where a person can be reached, who entered it, when, and how it was proved (claim M11).
create table channel (
  id text primary key,
  usager_id text not null references usager,
  kind text not null check (kind in ('phone', 'mail')),
  address text not null check (case kind when 'phone' then address ~ '^\+[0-9]{8,15}$' else length(address) between 3 and 254 end),
  added_by text not null check (added_by in ('usager', 'franceconnect') or added_by like 'aid\_%'),
  organisation_id text references organisation,
  added_at timestamptz not null,
  code_mac bytea,
  code_expires_at timestamptz,
  code_failures int not null default 0 check (code_failures between 0 and 5),
  verified_at timestamptz,
  ended_at timestamptz,
  -- What an aidant enters is hers to say, never hers to prove.
  check (added_by not like 'aid\_%' or (organisation_id is not null and verified_at is null)),
  check ((code_mac is null) = (code_expires_at is null))
);
create unique index channel_own on channel (usager_id, kind) where verified_at is not null and ended_at is null and added_by = 'usager';
create index channel_usager on channel (usager_id, kind, added_at desc);
create index channel_address on channel (address);

-- Numbers of structures and of people who work there: none of them can carry somebody else's consent.
create table professional_number (
  address text not null check (address ~ '^\+[0-9]{8,15}$'),
  holder text not null check (holder like 'org\_%' or holder like 'aid\_%'),
  declared_at timestamptz not null,
  primary key (address, holder)
);

insert into channel (id, usager_id, kind, address, added_by, added_at)
  select 'chn_' || substr(id, 5), id, 'mail', email, 'franceconnect', created_at from usager where length(email) between 3 and 254;

-- How many SMS left, by day and by whoever they count against (claim D7).
create table sms_quota (
  day date not null,
  scope text not null check (scope in ('day', 'organisation', 'aidant', 'person', 'number')),
  holder text not null,
  sent int not null check (sent >= 0),
  primary key (day, scope, holder)
);

-- One question to one phone about one draft. The first clear answer closes it for ever.
create table remote_consent (
  id text primary key,
  reference text not null unique check (length(reference) >= 22),
  draft_id text not null references mandate_draft,
  usager_id text not null references usager,
  channel_id text not null references channel,
  phone text not null,
  text_hash bytea not null check (octet_length(text_hash) = 32),
  delivery_id text not null references delivery,
  state text not null check (state in ('asked', 'yes', 'no', 'expired')),
  asked_at timestamptz not null,
  expires_at timestamptz not null check (expires_at > asked_at and expires_at <= asked_at + interval '24 hours'),
  delivered_at timestamptz,
  failed_at timestamptz,
  unclear int not null default 0 check (unclear between 0 and 20),
  later int not null default 0 check (later between 0 and 20),
  ended_at timestamptz,
  evidence bytea,
  evidence_box bytea,
  check ((state = 'asked') = (ended_at is null)),
  check ((state in ('yes', 'no')) = (evidence is not null)),
  check ((evidence is null) = (evidence_box is null)),
  check (evidence is null or octet_length(evidence) = 32)
);
create unique index remote_consent_open on remote_consent (draft_id) where state = 'asked';
create index remote_consent_due on remote_consent (expires_at) where state = 'asked';
create index remote_consent_draft on remote_consent (draft_id, asked_at desc);

create function refuse_second_answer() returns trigger language plpgsql as $$
begin
  if old.state <> 'asked' and (new.state, new.ended_at, new.evidence, new.evidence_box) is distinct from (old.state, old.ended_at, old.evidence, old.evidence_box) then
    raise exception 'the question was answered: it cannot be changed' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger first_answer_wins before update on remote_consent for each row execute function refuse_second_answer();

-- No mandate by SMS without the yes that was recorded for this very draft and person, whatever the code does.
create function refuse_unanswered() returns trigger language plpgsql as $$
begin
  if new.consent_method = 'sms' and not exists (
    select 1 from remote_consent r where r.draft_id = new.draft_id and r.usager_id = new.usager_id and r.state = 'yes'
      and r.evidence = new.consent_evidence and r.text_hash = new.text_hash) then
    raise exception 'no recorded yes for this mandate' using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger yes_first before insert on mandate for each row execute function refuse_unanswered();

-- What the gateway called about, so that the same call counts once.
create table sms_callback (
  message_id text primary key check (length(message_id) between 1 and 100),
  kind text not null check (kind in ('reply', 'receipt')),
  received_at timestamptz not null
);
create index sms_callback_received on sms_callback (received_at);

grant select, insert on channel, professional_number, sms_quota, remote_consent, sms_callback to relais_app;
grant update (code_mac, code_expires_at, code_failures, verified_at, ended_at) on channel to relais_app;
grant update (sent) on sms_quota to relais_app;
grant update (state, delivered_at, failed_at, unclear, later, ended_at, evidence, evidence_box) on remote_consent to relais_app;
grant update (expires_at) on mandate_draft to relais_app;
grant delete on sms_quota, sms_callback, professional_number to relais_app;
