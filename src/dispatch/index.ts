import type { DestinationType } from '../core/destination.ts';
import { amocrm } from './amocrm/amocrm.ts';
import { bitrix24 } from './bitrix24/bitrix24.ts';
import { chatwoot } from './chatwoot/chatwoot.ts';
import { email } from './email/email.ts';
import { freshdesk } from './freshdesk/freshdesk.ts';
import { helpScout } from './help-scout/help-scout.ts';
import { hubspot } from './hubspot/hubspot.ts';
import { jiraServiceManagement } from './jira-service-management/jira-service-management.ts';
import { otrs } from './otrs/otrs.ts';
import { pipedrive } from './pipedrive/pipedrive.ts';
import { requestTracker } from './request-tracker/request-tracker.ts';
import { salesforce } from './salesforce/salesforce.ts';
import { usedesk } from './usedesk/usedesk.ts';
import { webhook } from './webhook/webhook.ts';
import { zammad } from './zammad/zammad.ts';
import { zendesk } from './zendesk/zendesk.ts';

/** Every kind of destination, one line each. */
export const destinationTypes: readonly DestinationType[] = [
  amocrm,
  bitrix24,
  chatwoot,
  email,
  freshdesk,
  helpScout,
  hubspot,
  jiraServiceManagement,
  otrs,
  pipedrive,
  requestTracker,
  salesforce,
  usedesk,
  webhook,
  zammad,
  zendesk,
];
