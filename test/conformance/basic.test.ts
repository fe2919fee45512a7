import { basicPlan } from './basic-plan.ts';

basicPlan('query');
