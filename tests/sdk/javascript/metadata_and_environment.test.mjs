// Guide: "Metadata", "Connecting to Running Sandboxes", "Environment Variables".
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Sandbox, SandboxNotFoundError } from '@e2b/code-interpreter'
import { keep, uniqueMetadata } from './helpers.mjs'

const printed = (execution) => {
  assert.equal(execution.error, undefined)
  return execution.logs.stdout.join('').trim()
}

test('metadata is read in the list and in the info', async (t) => {
  const metadata = uniqueMetadata({ userId: 'user_12345', purpose: 'data-analysis' })
  const sandbox = await keep(t, Sandbox.create({ metadata }))

  const [listed] = await Sandbox.list({ query: { metadata } }).nextItems()

  assert.deepEqual(listed.metadata, metadata)
  assert.deepEqual((await sandbox.getInfo()).metadata, metadata)
})

test('connect reaches the same files and the same kernel', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  await sandbox.files.write('left-behind.txt', 'still here')
  await sandbox.runCode('answer = 42')

  const again = await Sandbox.connect(sandbox.sandboxId)

  assert.equal(await again.files.read('left-behind.txt'), 'still here')
  const execution = await again.runCode('print("Reconnected!"); answer')
  assert.deepEqual(execution.logs.stdout, ['Reconnected!\n'])
  assert.equal(execution.text, '42')
})

test('connect wakes a paused sandbox', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const sleeper = await sandbox.commands.run('sleep 600', { background: true, timeoutMs: 0 })
  await sandbox.pause()

  const again = await Sandbox.connect(sandbox.sandboxId)

  const pids = (await again.commands.list()).map((process) => process.pid)
  assert.ok(pids.includes(sleeper.pid))
  await again.kill()
  await sleeper.wait().catch(() => {})
})

test('an unknown id is not found', async () => {
  await assert.rejects(Sandbox.connect('ixjj3iankaishgcge4jw0'), SandboxNotFoundError)
})

test('a sandbox knows that it is one', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const { stdout } = await sandbox.commands.run('echo $E2B_SANDBOX $E2B_SANDBOX_ID')
  assert.equal(stdout, `true ${sandbox.sandboxId}\n`)
})

test('global variables reach commands and code', async (t) => {
  const envs = { API_KEY: 'secret_key_123', DATABASE_URL: 'postgres://localhost/db' }
  const sandbox = await keep(t, Sandbox.create({ envs }))

  const code = 'import os; print(os.environ.get("API_KEY"))'
  assert.equal(printed(await sandbox.runCode(code)), 'secret_key_123')
  assert.equal(
    printed(await sandbox.runCode(code, { envs: { API_KEY: 'execution_specific_key' } })),
    'execution_specific_key',
  )
  assert.equal(printed(await sandbox.runCode(code)), 'secret_key_123')
  const { stdout } = await sandbox.commands.run('echo $DATABASE_URL')
  assert.equal(stdout, 'postgres://localhost/db\n')
})

test('a command has its own variables', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const mine = await sandbox.commands.run('echo $MY_VAR', { envs: { MY_VAR: '123' } })
  assert.equal(mine.stdout, '123\n')
  assert.equal((await sandbox.commands.run('echo $MY_VAR')).stdout, '\n')
})
