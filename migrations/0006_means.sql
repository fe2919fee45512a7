-- Strong means beside one-time codes: passkeys (WebAuthn), recovery codes, and when a browser session last proved a factor (claim S9).
create table passkey (
  id text primary key,
  credential_id text not null unique,
  staff_id text not null references staff,
  name text not null check (length(name) between 1 and 60),
  public_key bytea not null,
  counter bigint not null check (counter >= 0),
  transports text[] not null,
  synced boolean not null,
  created_at timestamptz not null,
  last_used_at timestamptz,
  revoked_at timestamptz
);
create index passkey_staff on passkey (staff_id);

-- A challenge is used once, before its end: `used_at` is set by a conditional update of the transaction that accepts or refuses the answer.
create table passkey_challenge (
  challenge bytea primary key check (length(challenge) = 32),
  nonce bytea not null check (length(nonce) = 32),
  staff_id text not null references staff,
  purpose text not null check (purpose in ('enrol', 'sign-in', 'step-up', 'mandate')),
  expires_at timestamptz not null,
  used_at timestamptz
);
create index passkey_challenge_end on passkey_challenge (expires_at);

create table recovery_code (
  staff_id text not null references staff,
  hash bytea not null check (length(hash) = 32),
  created_at timestamptz not null,
  used_at timestamptz,
  primary key (staff_id, hash)
);

alter table web_session add column factor_at timestamptz;

grant select, insert on passkey, passkey_challenge, recovery_code to relais_app;
grant update (counter, last_used_at, revoked_at) on passkey to relais_app;
grant update (used_at) on passkey_challenge, recovery_code to relais_app;
grant delete on passkey_challenge, recovery_code to relais_app;
