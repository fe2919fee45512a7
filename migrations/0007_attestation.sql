-- Which keys have sealed attestations, and since when. The keys themselves are files: what this table says is compared with them at start.
create table attestation_key (key_id text primary key, since timestamptz not null);

-- What the paper of a mandate says beside what its rows say: names as they stood that day (in a box that only the
-- application opens), the code of the QR code, and the seal over all of it
-- (src/mandates/attestation.ts). Written in the transaction that makes the mandate; nobody changes it afterwards.
create table attestation (
  mandate_id text primary key references mandate,
  code text not null unique check (code ~ '^[2-9A-HJ-NP-Z]{24}$'),
  key_id text not null references attestation_key,
  seal bytea not null check (octet_length(seal) = 64),
  names_box bytea not null
);

grant select, insert on attestation_key, attestation to relais_app;
