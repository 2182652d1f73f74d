// The fake's clock, moved from JavaScript.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Sandbox, SandboxNotFoundError } from 'e2b'
import { Fake } from './fake.mjs'
import { keep } from './helpers.mjs'

const fake = new Fake()

// The other tests of this run sign URLs with the machine's time.
after(() => fake.reset())

test('what happens next is shown', async (t) => {
  await fake.ask('POST', '/clock/freeze')
  const sandbox = await keep(t, Sandbox.create({ timeoutMs: 60_000 }))
  const { mode, nextDeadline } = await fake.ask('GET', '/clock')
  assert.equal(mode, 'frozen')
  assert.deepEqual([nextDeadline.action, nextDeadline.sandboxID], ['kill', sandbox.sandboxId])
  assert.equal(Date.parse(nextDeadline.at), (await sandbox.getInfo()).endAt.getTime())
})

test('a sandbox ends when the clock is moved', async () => {
  const killed = await Sandbox.create({ timeoutMs: 60_000 })
  const paused = await Sandbox.create({ timeoutMs: 90_000, lifecycle: { onTimeout: 'pause' } })
  const { nextDeadline, now } = await fake.ask('GET', '/clock')
  assert.deepEqual((await fake.ask('POST', '/clock/advance', { seconds: 30 })).happened, [])
  const first = await fake.ask('POST', '/clock/set', { to: nextDeadline.at })
  assert.deepEqual(first.happened, [
    { at: nextDeadline.at, outcome: 'killed', sandboxID: killed.sandboxId },
  ])
  await assert.rejects(killed.getInfo(), SandboxNotFoundError)
  const { happened } = await fake.ask('POST', '/clock/advance', { seconds: 3600 })
  assert.deepEqual(
    happened.map((each) => [each.outcome, each.sandboxID]),
    [['paused', paused.sandboxId]],
  )
  assert.equal((await paused.getInfo()).state, 'paused')
  await assert.rejects(fake.ask('POST', '/clock/set', { to: now }), /only moves forward/)
  const { mode } = await fake.ask('POST', '/clock/follow')
  assert.equal(mode, 'following')
})
