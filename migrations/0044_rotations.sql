-- The few entries that change the key of the log: read by whoever verifies, and by whoever asks /log/rotations.
create index projection_rotations on journal.projection (idx) where type = 'key.rotated';
