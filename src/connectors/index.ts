import type { Connector } from '../core/connector.ts';
import { appStore } from './app-store/app-store.ts';
import { asterisk } from './asterisk/asterisk.ts';
import { avito } from './avito/avito.ts';
import { binotel } from './binotel/binotel.ts';
import { cti } from './cti/cti.ts';
import { discord } from './discord/discord.ts';
import { email } from './email/email.ts';
import { form } from './form/form.ts';
import { googleBusiness } from './google-business/google-business.ts';
import { googlePlay } from './google-play/google-play.ts';
import { ozon } from './ozon/ozon.ts';
import { webhook } from './webhook/webhook.ts';
import { telegram } from './telegram/telegram.ts';
import { viber } from './viber/viber.ts';
import { twilio } from './twilio/twilio/twilio.ts';
import { twilioVoice } from './twilio/twilio-voice/twilio-voice.ts';
import { vk } from './vk/vk.ts';
import { line } from './line/line.ts';
import { mango } from './mango/mango.ts';
import { max } from './max/max.ts';
import { facebookLeads } from './meta/facebook-leads/facebook-leads.ts';
import { instagram } from './meta/instagram/instagram.ts';
import { messenger } from './meta/messenger/messenger.ts';
import { ringostat } from './ringostat/ringostat.ts';
import { rss } from './rss/rss.ts';
import { slack } from './slack/slack.ts';
import { smsGateway } from './sms-gateway/sms-gateway.ts';
import { teams } from './teams/teams.ts';
import { uis } from './uis/uis.ts';
import { trustpilot } from './trustpilot/trustpilot.ts';
import { webChat } from './web-chat/web-chat.ts';
import { whatsappCloud } from './whatsapp-cloud/whatsapp-cloud.ts';
import { whatsappWeb } from './whatsapp-web/whatsapp-web.ts';
import { wildberries } from './wildberries/wildberries.ts';
import { yandexMarket } from './yandex-market/yandex-market.ts';
import { zadarma } from './zadarma/zadarma.ts';

/** Every kind of channel, one line each. */
export const connectors: readonly Connector[] = [
  form,
  webhook,
  telegram,
  email,
  viber,
  twilio,
  twilioVoice,
  smsGateway,
  cti,
  vk,
  max,
  line,
  rss,
  slack,
  ringostat,
  binotel,
  zadarma,
  mango,
  uis,
  asterisk,
  discord,
  whatsappCloud,
  whatsappWeb,
  teams,
  webChat,
  messenger,
  instagram,
  facebookLeads,
  wildberries,
  ozon,
  avito,
  yandexMarket,
  googleBusiness,
  googlePlay,
  appStore,
  trustpilot,
];
