import type { Stack } from '@touchstone/local-stack';
import { type Checked, requireHonoured, requireRefused, WrongAnswer } from '../checks.ts';
import type { Bench } from '../measure.ts';
import type { Tokens } from '../tokens.ts';
import { type Contested, contest } from './contests.ts';
import { type Crowd, type CrowdCall, loadsOf, openCrowd } from './crowds.ts';
import { type Disturbed, measureDisturbed } from './mass-revocations.ts';
import { type Member, registerTenants } from './members.ts';

/** How large the crowds are to be. */
export interface CrowdSize {
  /** Of the hot user. */
  readonly hotTokens: number;
  /** Of each of the other crowds. */
  readonly tokens: number;
  readonly tenants: number;
}

export interface CrowdResults {
  readonly disturbed: readonly Disturbed[];
  readonly contests: readonly Contested[];
}

const membersChecked = 5;
const sampleSize = 500;
/** A round's: it ends with all of them revoked. */
const disturbedTokens = 20_000;

/**
 * Measures whether it matters whose the tokens are.
 * @param apps the first of them is the hot one: all records there are are its own.
 * @throws WrongAnswer
 */
export async function measureCrowds(
  bench: Bench,
  stack: Stack,
  [hotApp, ...otherApps]: readonly Member[],
  { hotTokens, tokens, tenants }: CrowdSize,
): Promise<CrowdResults> {
  if (!hotApp) throw new Error('there are no apps');
  const open = (name: string, members: readonly Member[], users = tokens, count = tokens) =>
    openCrowd(bench, stack, { name, members, users, count });
  const disturbed = await measureDisturbed(bench, stack, hotApp.appId, async () => {
    const fresh = await open('users who are disturbed', otherApps, disturbedTokens, disturbedTokens);
    return loadsOf(stack, fresh).ValidateToken;
  });
  const ordinary = await open('users of 100 apps', otherApps);
  const hotUser = await open('a hot user', otherApps, 1, hotTokens);
  const hot = await open('a hot app', [hotApp]);
  const ofTenants = await open(`${tenants} tenants`, await registerTenants(bench, stack, tenants));

  const all = [ordinary, hotUser, hot, ofTenants];
  const contests: Contested[] = [];
  const compare = async (call: CrowdCall, crowds: readonly Crowd[]) => {
    const loads = crowds.map((crowd) => [crowd.name, loadsOf(stack, crowd)[call]] as const);
    contests.push(...(await contest(bench, call, loads)));
  };
  for (const crowd of all) await check(stack, crowd, requireHonoured);
  await compare('ValidateToken', all);
  await compare('IssueToken', all);
  await compare('RevokeToken', all);
  for (const crowd of all) await check(stack, crowd, requireHonoured);
  await compare('RevokeTokens(user)', [ordinary, hotUser, ofTenants]);
  await check(stack, hotUser, requireSampleRefused);
  await compare('RevokeTokens(app)', [ordinary, hot, ofTenants]);
  for (const crowd of [ordinary, hot]) await check(stack, crowd, requireSampleRefused);
  await compare('RevokeTokens(tenant)', [ordinary, ofTenants]);
  await check(stack, ofTenants, requireSampleRefused);
  return { disturbed, contests };
}

const requireSampleRefused = (checked: Checked, tokens: Tokens) => requireRefused(checked, tokens.draw(sampleSize));

async function check(
  { services }: Stack,
  { name, members, tokens }: Crowd,
  what: (checked: Checked, tokens: Tokens) => Promise<void>,
): Promise<void> {
  for (const [at, member] of members.slice(0, membersChecked).entries()) {
    const own = tokens[at];
    if (!own || own.draw(1).length === 0) throw new WrongAnswer(`nothing is left to check of ${name}`);
    await what({ services, demo: member }, own);
  }
}
