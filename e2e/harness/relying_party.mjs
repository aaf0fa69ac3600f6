// An application as its authors would write it with npm `openid-client`: discovery, code with PKCE and nonce.
//
// The library is used as published; the one thing switched off is its refusal of plain http, because the
// product under test listens on loopback. Tokens it obtains become canaries for the log check.

import * as client from 'openid-client';

import { Agent } from './agent.mjs';
import { canary } from './product.mjs';

/** Where nothing listens: the agent stops before it, as an application on this address would be called. */
export const LOOPBACK_REDIRECT = 'http://127.0.0.1:49152/callback';

/** Reads the issuer's metadata as `{client_id, client_secret}`. */
export async function discover(issuer, application) {
  const { client_id: id, client_secret: secret } = application;
  const authentication = secret ? client.ClientSecretBasic(secret) : client.None();
  return client.discovery(new URL(issuer), id, undefined, authentication, {
    execute: [client.allowInsecureRequests],
  });
}

/** An authorization request, and the exchange of what comes back for it. */
export async function beginSignIn(config, { scope = 'openid profile email', redirectUri, ...more } = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const [nonce, state] = [client.randomNonce(), client.randomState()];
  const address = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri ?? LOOPBACK_REDIRECT,
    scope,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    nonce,
    state,
    ...more,
  });
  const finish = async (arrived) => {
    canary(arrived.searchParams.get('code'), verifier);
    const checks = { pkceCodeVerifier: verifier, expectedNonce: nonce, expectedState: state, idTokenExpected: true };
    return noted(await client.authorizationCodeGrant(config, arrived, checks));
  };
  return { address, finish };
}

/** The whole way with a scripted person at the hosted pages. */
export async function signIn(config, user, { agent = new Agent(), ...request } = {}) {
  const { address, finish } = await beginSignIn(config, request);
  const arrived = await agent.authorize(address.href, user, request.redirectUri ?? LOOPBACK_REDIRECT);
  return finish(arrived);
}

/** Keeps the tokens of an answer out of every log. */
export function noted(tokens) {
  canary(tokens.access_token, tokens.id_token, tokens.refresh_token);
  return tokens;
}
