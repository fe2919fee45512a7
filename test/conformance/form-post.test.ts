import { basicPlan } from './basic-plan.ts';

basicPlan('form_post');
