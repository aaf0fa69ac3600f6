// npm `openid-client`, as published: everything a web application does with its issuer (Must show 3).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import * as client from 'openid-client';

import { Agent } from '../harness/agent.mjs';
import { Product } from '../harness/product.mjs';
import { LOOPBACK_REDIRECT, beginSignIn, discover, noted, signIn } from '../harness/relying_party.mjs';

let product, config;

before(async () => {
  product = await Product.start();
  config = await discover(product.demo.issuer, product.demo.application);
});
after(() => product?.stop());

test('discovery says who the issuer is and that PKCE is supported', () => {
  const metadata = config.serverMetadata();
  assert.equal(metadata.issuer, product.demo.issuer);
  assert.ok(metadata.supportsPKCE('S256'));
});

test('code with PKCE and nonce gives tokens, and userinfo names the person', async () => {
  const tokens = await signIn(config, product.demo.user);
  const claims = tokens.claims();
  assert.equal(claims.iss, product.demo.issuer);
  assert.equal(claims.aud, product.demo.application.client_id);
  const person = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  assert.equal(person.email, product.demo.user.email);
});

test('a refresh token is rotated, and an old one kills the family', async () => {
  const first = await signIn(config, product.demo.user, { scope: 'openid offline_access' });
  assert.ok(first.refresh_token, 'offline_access gives a refresh token');
  const second = noted(await client.refreshTokenGrant(config, first.refresh_token));
  assert.notEqual(second.refresh_token, first.refresh_token);
  const third = noted(await client.refreshTokenGrant(config, second.refresh_token));

  // The answer to the second may have got lost, but nobody who holds the third still needs the first: reuse
  // is taken for theft, and the whole family dies (RFC 9700 section 4.14.2).
  await refused(client.refreshTokenGrant(config, first.refresh_token), 'invalid_grant');
  await refused(client.refreshTokenGrant(config, third.refresh_token), 'invalid_grant');
});

test('a code is good once, and using it again takes the tokens back', async () => {
  const { address, finish } = await beginSignIn(config);
  const arrived = await new Agent().authorize(address.href, product.demo.user, LOOPBACK_REDIRECT);
  const tokens = await finish(arrived);
  await refused(finish(arrived), 'invalid_grant');
  // RFC 6749 section 4.1.2: what the code had given is revoked.
  await assert.rejects(client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub));
});

test('logout at the issuer ends the session and returns to the application', async () => {
  const agent = new Agent();
  const tokens = await signIn(config, product.demo.user, { agent });
  // The session is there: no sign-in page is needed a second time.
  const again = await beginSignIn(config, { prompt: 'none' });
  await again.finish((await agent.open(again.address, { stopAt: LOOPBACK_REDIRECT })).url);

  const home = new URL('/signed-out', LOOPBACK_REDIRECT).href;
  const leave = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: home });
  let page = await agent.open(leave, { stopAt: home });
  if (!page.arrived && page.has('submit')) page = await agent.submit(page, {}, 'submit', { stopAt: home });
  assert.ok(page.arrived || page.status === 200, 'the person is told, or sent home');

  const silent = await beginSignIn(config, { prompt: 'none' });
  const { url } = await agent.open(silent.address, { stopAt: LOOPBACK_REDIRECT });
  assert.equal(url.searchParams.get('error'), 'login_required');
});

test('a machine gets a token for its api', async () => {
  const machine = await discover(product.demo.issuer, product.demo.machine);
  const tokens = noted(await client.clientCredentialsGrant(machine, { scope: product.demo.machine.scope }));
  assert.equal(tokens.token_type, 'bearer');
  assert.equal(tokens.id_token, undefined);
});

test('a wrong secret, an unknown scope and a foreign redirect are refused by name', async () => {
  const { machine, issuer, application } = product.demo;
  const impostor = await discover(issuer, { ...machine, client_secret: `${machine.client_secret}x` });
  await refused(client.clientCredentialsGrant(impostor, {}), 'invalid_client');

  const known = await discover(issuer, machine);
  await refused(client.clientCredentialsGrant(known, { scope: 'no-such-scope' }), 'invalid_scope');

  const web = await discover(issuer, application);
  const { address } = await beginSignIn(web, { redirectUri: 'https://elsewhere.example/callback' });
  const page = await new Agent().open(address);
  assert.equal(page.status, 400, 'an unknown redirect address is told to the person, never redirected to');
  assert.ok(!page.has('password'), 'and no sign-in form is shown');
});

/** Asserts that the issuer answered with this OAuth error code, in words or with an HTTP challenge. */
async function refused(attempt, code) {
  const error = await attempt.then(() => assert.fail(`${code} was expected`), (refusal) => refusal);
  const answer = error.error ? error : await error.response?.json();
  assert.equal(answer?.error, code, String(error));
}
