-- What gives or takes away a power names the event of its entry in the same statement: whoever removes what waits in the queue leaves a row without its
-- entry, which the scrubber finds (`happened`, below). Sessions name that of their opening since the beginning (`opened_event`).
alter table mandate_draft add column consented_event uuid;
alter table mandate add column created_event uuid;
alter table mandate_grant add column ended_event uuid;
alter table delegated_session add column ended_event uuid;
alter table erasure add column executed_event uuid;
alter table period_erasure add column executed_event uuid;
grant update (consented_event) on mandate_draft to relais_app;
grant update (ended_event) on mandate_grant, delegated_session to relais_app;
grant update (executed_event) on erasure, period_erasure to relais_app;
create trigger event_stays before update on mandate_grant for each row execute function refuse_undo('ended_event');
create trigger event_stays before update on delegated_session for each row execute function refuse_undo('ended_event');
create trigger event_stays before update on period_erasure for each row execute function refuse_undo('executed_event');

-- Each kind by its time: the scrubber reads the last ten minutes each minute, and a day after the other at night.
create index mandate_draft_consented on mandate_draft (consented_at) where consented_at is not null;
create index mandate_accepted on mandate (accepted_at);
create index mandate_grant_ended on mandate_grant (ended_at) where ended_at is not null;
create index delegated_session_opened on delegated_session (opened_at);
create index delegated_session_ended on delegated_session (ended_at) where ended_at is not null;

-- What was not found, beside what does not hold: how many, and the first.
alter table journal_scrub add column missing bigint not null default 0, add column missing_first text;

-- What the tables say happened: each with the entries that may say it, their event, and what these must name. An import counts from the day of its signature.
create view happened (kind, at, reference, event, types, usager, mandate, session) as
  select 'mandate.consented', consented_at, id, consented_event, array['mandate.consented', 'mandate.imported'], usager_id, null::text, null::text
    from mandate_draft where consented_at is not null
  union all select 'mandate.created', accepted_at, reference, created_event, array['mandate.created', 'mandate.imported'], usager_id, id, null from mandate
  union all select 'mandate.ended', g.ended_at, m.reference, g.ended_event, array['mandate.revoked', 'mandate.renounced', 'mandate.replaced', 'mandate.ended'],
      g.usager_id, g.mandate_id, null from mandate_grant g join mandate m on m.id = g.mandate_id where g.ended_at is not null
  union all select 'session.opened', opened_at, id, opened_event, array['session.opened'], usager_id, mandate_id, id from delegated_session
  union all select 'session.ended', ended_at, id, ended_event, array['session.ended'], usager_id, mandate_id, id from delegated_session where ended_at is not null
  union all select 'erasure.executed', done_at, id, executed_event, array['erasure.executed'], null, null, null from erasure where done_at is not null
  union all select 'erasure.executed', done_at, class || ' ' || month, executed_event, array['erasure.executed'], null, null, null from period_erasure where done_at is not null;
grant select on happened to relais_app;
