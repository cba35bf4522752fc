import { createSign } from 'node:crypto';
import type { Context, HttpRequest } from '../../src/core/connector.ts';
import { PermanentError } from '../../src/core/errors.ts';
import { sealedHttp } from './context.ts';

/** Amazon SNS and SES, as far as they speak to us. */

export const TOPIC = 'arn:aws:sns:eu-west-1:123456789012:mail';
export const CERTIFICATE = 'https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem';

export interface Published {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A message as SNS signs it, after `more` has been put into it. */
export function publish(
  message: string,
  more: Readonly<Record<string, string>> = {},
  type: 'Notification' | 'SubscriptionConfirmation' | 'UnsubscribeConfirmation' = 'Notification',
): Published {
  const asking = {
    Token: '2336412f37fb687f',
    SubscribeURL: 'https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription',
  };
  const fields: Record<string, string> = {
    Type: type,
    MessageId: '22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324',
    TopicArn: TOPIC,
    Message: message,
    Timestamp: '2026-01-31T09:00:58.000Z',
    SignatureVersion: '2',
    SigningCertURL: CERTIFICATE,
    ...(type !== 'Notification' && asking),
    ...more,
  };
  const signed = Object.keys(fields).filter((name) => !['SignatureVersion', 'SigningCertURL'].includes(name));
  const sign = createSign(fields.SignatureVersion === '1' ? 'sha1' : 'sha256');
  for (const name of signed.toSorted()) sign.update(`${name}\n${fields[name]!}\n`);
  return pack({ ...fields, Signature: sign.sign(KEY, 'base64') });
}

/** As it is posted. */
export function pack(fields: Readonly<Record<string, string>>): Published {
  const headers = {
    'content-type': 'text/plain; charset=UTF-8',
    'x-amz-sns-message-type': fields.Type ?? '',
    'x-amz-sns-message-id': fields.MessageId ?? '',
  };
  return { headers, body: Buffer.from(JSON.stringify(fields)) };
}

/** What a receipt rule of SES publishes. */
export function received(mail: string | undefined, action: object = { type: 'SNS', encoding: 'BASE64' }): string {
  return JSON.stringify({
    notificationType: 'Received',
    mail: { source: 'olena@example.test', destination: ['support@example.com'] },
    receipt: { recipients: ['support+orders@example.com'], action, dmarcVerdict: { status: 'PASS' } },
    ...(mail !== undefined && { content: mail }),
  });
}

/** The network with nothing but SNS in it: the certificate, and an ear for confirmations. */
export function openSns(): { readonly http: Context['http']; readonly asked: string[] } {
  const asked: string[] = [];
  const send = async ({ url }: HttpRequest) => {
    asked.push(url);
    if (!url.startsWith('https://sns.eu-west-1.amazonaws.com/')) throw new PermanentError(`${url} is not to be called`);
    const text = url === CERTIFICATE ? PEM : '';
    if (text === '' && !url.includes('ConfirmSubscription')) throw new PermanentError('404 Not Found');
    return { status: 200, headers: {}, text, json: undefined };
  };
  return { http: Object.assign(sealedHttp(), { send }), asked };
}

/** Made for tests; protects nothing. */
const KEY = `-----BEGIN PRIVATE KEY-----
MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCpDnkggurj8ZQs
x1SE/GC5jmWkUc9OfVIC9H69BePWEuwnohHxOdHgb7CQEcP+rY5TPbYXqJcEmVdd
lUJGznuSfJADO2PbYd5ACeaQ/p0MTGMqAWlHX1Py1ky+BvLg875YslcnKu7pKjZQ
Mpg/u1vc54NCPpRrCg5v5vK26oElQJf+yjNXd5Mot+P75FG2LsfWeE0/sRsLN//U
vSeYp/ReyjWFcjgfM33AKI8mXGB6NJiITp7GEYn+jQza3FRngxSbzxXkjsQuk8fE
XYdjVuZ9VDF3fJkEF/b/3cXAy+2If3mtTwsXsr2PODZZRDo3l0ZXzkPPVmMAFglZ
wBcnqrxvAgMBAAECggEAEexzPSuELzH6uBtTbly6UzyyBrpBv3Gb/gI2ubW5J9uO
Zs6ma6vqAOChQ0pkPEk3Bhj3MwpF0KVX/5exP4PpfWjFdVeY87aBnh/ZQ9WAMxXv
jDw6vD1yz2lBw61Fl5dgE/6nLNjpcZZvIbuWLBOiNAk7qmIA0a8ZmWr5SsQReIXK
NrL3WolG16NrdGuei0jsViCZoWg2xcCDyVywliNg/Rawu+DnkfKvZPpXWa+T8J7z
rfmLP+cMDfn4sYJPqdxXdxOkWO5hMxsKq8p0ynXnJ1QNn38G4746vrmjUW5P0mxh
jaMs1PqVGXd6OzFuCzNnwKg/hyaiGIjavwu2oW/JYQKBgQDVqgNSAczmhM3NIYIn
DUgoi2hF+ZtDOxZzFncGtJAb2yEAr70ER48xr+K62aB5AielrwzNlrHYCwwRupqp
3mqZmCNlvTOU36RQe9YhRMoJzckVUbSzGyC+vF/nnS5gYAaN/YbLIU/Yo/DKdAN5
CJrHIgaRtz1kMsloheJrJnetHwKBgQDKjcRWCTGIHo5rZvZ2ZqbMhdFd5GtWa5yc
gSVA+cIhkduEMvJ4Ag0nK9Q9yyiU0mtH+MlqwZ5nc/nHKL4ausKiwL8zD8lXdkZ2
HEmgw8eLDo4I3tuk6h2hIkHS3/KjUq/3KzevCh58SDarOqf02f8mvzGKM98hPoue
uzA/8yi2sQKBgH0+e1PG2mUF0906lyBtGK8riKP7/JccO7yanoq/rPmnKWFNom6v
w7BMeYstpnNIYBUu10Jr4zPQxfJef+qzBamjFJy+m03ZCmhjLtGxkPzOM+DbVCDo
9fjYUx9hc53qq+zvf+PyUuuarbr+5ko8UP4JY/BmiQYC/yzVzjMhCWXhAoGAXK4f
bwqH2nO40NXs4eI4Yg687MxOfN2CbG3/QMrHFBssKUIyhczSfeDlHV0u9WGOawEg
EDQFqep8GK/AxHQ+CMBO/Cs2AkoBFZv96IyMakk/njlyoPPqmMcW/UkxOZ/lGiBx
OytTJaTZNuIA5d01jWIgZc80Qn7e3cNi4W/+ahECgYAD+50ZJgu9Ocvc8Ic/IGnp
MxrTajqaukwbsql9IknQ0phNl/nmA8GokZj7uNJoqiZQOsak2Gn7trCCKH25QA0W
LMFAcDFAS/rmk2EwxPViAIk9oLhR7kSb/f5TTNk97xsZzOZI5X+p8B6jP9ts3QLw
Y+PMOwua81QLhX3UCbcpsg==
-----END PRIVATE KEY-----`;

const PEM = `-----BEGIN CERTIFICATE-----
MIIDGzCCAgOgAwIBAgIUfFXXO33Kz0SGQ/ZzWcDkHTJPop0wDQYJKoZIhvcNAQEL
BQAwHDEaMBgGA1UEAwwRc25zLmFtYXpvbmF3cy5jb20wIBcNMjYxMTIzMDMwODE4
WhgPMjEyNjEwMzAwMzA4MThaMBwxGjAYBgNVBAMMEXNucy5hbWF6b25hd3MuY29t
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqQ55IILq4/GULMdUhPxg
uY5lpFHPTn1SAvR+vQXj1hLsJ6IR8TnR4G+wkBHD/q2OUz22F6iXBJlXXZVCRs57
knyQAztj22HeQAnmkP6dDExjKgFpR19T8tZMvgby4PO+WLJXJyru6So2UDKYP7tb
3OeDQj6UawoOb+bytuqBJUCX/sozV3eTKLfj++RRti7H1nhNP7EbCzf/1L0nmKf0
Xso1hXI4HzN9wCiPJlxgejSYiE6exhGJ/o0M2txUZ4MUm88V5I7ELpPHxF2HY1bm
fVQxd3yZBBf2/93FwMvtiH95rU8LF7K9jzg2WUQ6N5dGV85Dz1ZjABYJWcAXJ6q8
bwIDAQABo1MwUTAdBgNVHQ4EFgQUE6FslsjZWcTcOSR0cbWwlSE/bjwwHwYDVR0j
BBgwFoAUE6FslsjZWcTcOSR0cbWwlSE/bjwwDwYDVR0TAQH/BAUwAwEB/zANBgkq
hkiG9w0BAQsFAAOCAQEAOOihL+M4uDWPLZS1TI4+TsZ1gwtvH4/1+o9FS98NGm6C
U0rhJqBoNi4gZgkiR3pNR7fwGQdvrHAggsWNykORkruRp2GKMnO2hdsWaZvaG9q7
enEUAQfIEBKluXBFIIxq5cpTLSqrxUg6s1g5rjfgtzVs7kTf+9EAWb32VRVPtL/E
bucR31f48rmqo+k1MA2BTUFXL2NnupUUPxThQVOJr5b2PWYxeAa/3xSzufvYHRg3
3YUOew4he18cBPzwBxVUnSyQQ7h/uYUeRN3RaspibIa6cRorT48mBsd/r5Jp0AbB
hqgmkdG0DPkUrkefMI5MHFu3vuEkO8b6JjCWYh7G3Q==
-----END CERTIFICATE-----`;
