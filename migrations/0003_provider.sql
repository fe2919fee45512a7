-- The OpenID provider's artefacts, one table for every model. `id` is the library's own jti, a random value that never leaves without its
-- signature or its entropy; what is durable here is what must be single-use across instances.
create table oidc_artefact (
  model text not null,
  id text not null,
  grant_id text,
  uid text,
  payload jsonb not null,
  consumed_at timestamptz,
  expires_at timestamptz,
  primary key (model, id)
);
create index oidc_artefact_grant on oidc_artefact (grant_id) where grant_id is not null;
create index oidc_artefact_uid on oidc_artefact (model, uid) where uid is not null;
create index oidc_artefact_expiry on oidc_artefact (expires_at) where expires_at is not null;

-- Proofs seen once (DPoP, client assertions).
create table replay (id bytea primary key, expires_at timestamptz not null);
create index replay_expiry on replay (expires_at);

grant select, insert, update, delete on oidc_artefact, replay to relais_app;
