// npm `jose`, as published: tokens are what the JWKS says, for ES256 and for RS256 (Must show 3).
//
// Nothing here trusts openid-client's own checks: each token is verified again from the issuer's key set, the
// way a resource server in front of an API would.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import * as jose from 'jose';
import * as client from 'openid-client';

import { AdminApi } from '../harness/admin_api.mjs';
import { Product, until } from '../harness/product.mjs';
import { LOOPBACK_REDIRECT, discover, noted, signIn } from '../harness/relying_party.mjs';

let product, config, keys;

before(async () => {
  product = await Product.start();
  config = await discover(product.demo.issuer, product.demo.application);
  keys = jose.createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri));
});
after(() => product?.stop());

test('ID and access token of a person verify with ES256', async () => {
  const { issuer, application } = product.demo;
  const tokens = await signIn(config, product.demo.user);
  const id = await jose.jwtVerify(tokens.id_token, keys, {
    issuer,
    audience: application.client_id,
    algorithms: ['ES256'],
    requiredClaims: ['sub', 'iat', 'exp', 'auth_time', 'nonce'],
  });
  const access = await jose.jwtVerify(tokens.access_token, keys, {
    issuer,
    typ: 'at+jwt',
    algorithms: ['ES256'],
    requiredClaims: ['sub', 'aud', 'client_id', 'iat', 'exp', 'jti', 'scope'],
  });
  assert.equal(access.payload.sub, id.payload.sub);
  assert.equal(access.payload.client_id, application.client_id);
  assert.ok(access.protectedHeader.kid, 'a key is named, so that rotation needs no guessing');
});

test('the access token of a machine verifies and says who may use it', async () => {
  const { issuer, machine } = product.demo;
  const known = await discover(issuer, machine);
  const { access_token: token } = noted(await client.clientCredentialsGrant(known, { scope: machine.scope }));
  const { payload } = await jose.jwtVerify(token, keys, { issuer, typ: 'at+jwt', algorithms: ['ES256'] });
  assert.equal(payload.client_id, machine.client_id);
  assert.deepEqual(payload.scope.split(' ').sort(), machine.scope.split(' ').sort());
});

test('an application that asks for RS256 gets RS256', async () => {
  const api = await AdminApi.open(product, { tenant: 'acme', role: 'tenant_owner' });
  const tenant = await api.tenant('acme');
  const made = await api.createApplication(tenant.id, {
    name: 'Legacy shop',
    kind: 'web',
    redirect_uris: [LOOPBACK_REDIRECT],
    signing_algorithm: 'RS256',
  });
  const legacy = await discover(product.demo.issuer, made);
  legacy.clientMetadata().id_token_signed_response_alg = 'RS256';
  const tokens = await until(() => signIn(legacy, product.demo.user), 'the node serves the new application');
  const { payload } = await jose.jwtVerify(tokens.id_token, keys, {
    issuer: product.demo.issuer,
    audience: made.client_id,
    algorithms: ['RS256'],
  });
  assert.equal(payload.iss, product.demo.issuer);
});

test('a token with one flipped bit, and one that claims no algorithm, do not verify', async () => {
  const tokens = await signIn(config, product.demo.user);
  const [header, payload, signature] = tokens.id_token.split('.');
  const bent = Buffer.from(signature, 'base64url');
  bent[0] ^= 1;
  await assert.rejects(jose.jwtVerify(`${header}.${payload}.${bent.toString('base64url')}`, keys));
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  await assert.rejects(jose.jwtVerify(`${none}.${payload}.`, keys));
});

test('the key set holds public keys only', async () => {
  const answer = await fetch(config.serverMetadata().jwks_uri);
  const { keys: published } = await answer.json();
  assert.ok(published.length >= 2, 'one key for ES256 and one for RS256');
  for (const key of published) {
    for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.equal(key[secret], undefined);
  }
});
