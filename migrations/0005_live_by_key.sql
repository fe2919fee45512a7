-- The same question as `live_session`, asked of one session or one grant. In PL/pgSQL so that its plan is kept: the statements that ask it are short,
-- and planning the seven tables behind it would cost them more than the answer.
create function session_lives(session text, at timestamptz) returns boolean language plpgsql stable as $$
begin
  return exists (select 1 from live_session(at) l where l.id = session);
end $$;

create function live_session_of(of_grant text, at timestamptz) returns setof delegated_session language plpgsql stable rows 1 as $$
begin
  return query select l.* from live_session(at) l where l.grant_id = of_grant;
end $$;
