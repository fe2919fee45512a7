import { demonstrationSettings } from '../config/environment.ts';
import { Failure } from '../kernel/failure.ts';

/** Importing this file is what keeps simulators and test identities out of production: every module of the folder does it first. */
if (demonstrationSettings().production)
  throw new Failure('practice_in_production', 'simulators, test identities and mirror services exist only in the demonstration');
