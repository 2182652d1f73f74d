// Guide: "Common Patterns" and "Troubleshooting".
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Sandbox, SandboxNotFoundError } from '@e2b/code-interpreter'
import { keep, uniqueMetadata } from './helpers.mjs'

async function sandboxOf(metadata) {
  const [found] = await Sandbox.list({
    query: { state: ['running', 'paused'], metadata },
  }).nextItems()
  return found ? Sandbox.connect(found.sandboxId) : Sandbox.create({ timeoutMs: 600_000, metadata })
}

test('a user keeps one sandbox across processes', async (t) => {
  const metadata = uniqueMetadata()
  const first = await keep(t, sandboxOf(metadata))
  assert.equal((await sandboxOf(metadata)).sandboxId, first.sandboxId)
  await first.pause()
  assert.equal((await sandboxOf(metadata)).sandboxId, first.sandboxId)
  assert.equal((await first.getInfo()).state, 'running')
})

test('what is older than a limit can be found and killed', async (t) => {
  const metadata = uniqueMetadata()
  const sandbox = await keep(t, Sandbox.create({ metadata }))
  const cutoff = new Date(Date.now() + 3_600_000)

  const killed = []
  const paginator = Sandbox.list({ query: { state: ['running'], metadata } })
  while (paginator.hasNext) {
    for (const info of await paginator.nextItems()) {
      if (info.startedAt < cutoff && (await Sandbox.kill(info.sandboxId))) killed.push(info.sandboxId)
    }
  }

  assert.deepEqual(killed, [sandbox.sandboxId])
  assert.equal(await Sandbox.kill(sandbox.sandboxId), false)
})

test('a killed sandbox is not found, and not running', async (t) => {
  const sandbox = await Sandbox.create()
  assert.equal(await sandbox.isRunning(), true)
  await sandbox.kill()
  assert.equal(await sandbox.isRunning(), false)
  await assert.rejects(Sandbox.connect(sandbox.sandboxId), SandboxNotFoundError)
})
