import type { Connector } from '../core/connector.ts';
import { form } from './form/form.ts';
import { webhook } from './webhook/webhook.ts';

/** Every kind of channel, one line each. */
export const connectors: readonly Connector[] = [form, webhook];
