-- A key is made by the sequencer's role alone: bytes that no key opens, or a row that says "erased" of somebody who was not, would stop or silence
-- the entries of a person before her first one. It names whose key it is and its bytes; when it was made and that it lives, the table says.
revoke insert on journal_keys.person_key, journal_keys.period_key from relais_app, relais_sequencer;
grant insert (party_id, wrapped) on journal_keys.person_key to relais_sequencer;
grant insert (class, period, wrapped) on journal_keys.period_key to relais_sequencer;
