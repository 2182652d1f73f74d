// A tour of the SDK: what an app does with a sandbox from its first call to its last.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandExitError, Sandbox, TimeoutError } from '@e2b/code-interpreter'
import { eventually, keep } from './helpers.mjs'

test('commands: output, streaming, stdin, failure, background, timeout', async (t) => {
  const sandbox = await keep(t, Sandbox.create())

  const pieces = []
  const run = await sandbox.commands.run('echo out; echo err >&2', {
    onStdout: (piece) => pieces.push(piece),
  })
  assert.deepEqual([run.exitCode, run.stdout, run.stderr], [0, 'out\n', 'err\n'])
  assert.equal(pieces.join(''), 'out\n')

  await assert.rejects(sandbox.commands.run('echo no >&2; exit 3'), (error) => {
    assert.ok(error instanceof CommandExitError)
    assert.deepEqual([error.exitCode, error.stderr], [3, 'no\n'])
    return true
  })

  const cat = await sandbox.commands.run('cat', { background: true, stdin: true })
  await sandbox.commands.sendStdin(cat.pid, 'typed\n')
  await sandbox.commands.closeStdin(cat.pid)
  assert.equal((await cat.wait()).stdout, 'typed\n')

  const sleeper = await sandbox.commands.run('sleep 600', { background: true })
  assert.equal(await sleeper.kill(), true)
  await assert.rejects(sleeper.wait(), CommandExitError)

  await assert.rejects(sandbox.commands.run('sleep 600', { timeoutMs: 200 }), TimeoutError)
  // The client may notice the end of the time before the server does.
  await eventually(async () => (await sandbox.commands.list()).length === 0)
})

test('files: write, read, list, watch, rename, remove', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  await sandbox.files.makeDir('work')

  const seen = new Promise((resolve) => {
    t.seen = resolve
  })
  const watcher = await sandbox.files.watchDir('work', (event) => {
    if (event.type === 'write') t.seen(event.name)
  })
  await sandbox.files.write('work/a.txt', 'ü')
  assert.equal(await seen, 'a.txt')
  await watcher.stop()

  assert.equal(await sandbox.files.read('work/a.txt'), 'ü')
  await sandbox.files.rename('work/a.txt', 'work/b.txt')
  assert.deepEqual((await sandbox.files.list('work')).map((entry) => entry.name), ['b.txt'])
  assert.equal((await sandbox.commands.run('cat work/b.txt')).stdout, 'ü')
  await sandbox.files.remove('work')
  assert.equal(await sandbox.files.exists('work'), false)
})

test('code: state, streams, errors, a figure', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const lines = []

  const execution = await sandbox.runCode('x = 20\nprint("printed")\nx + 1', {
    onStdout: (message) => lines.push(message.line),
  })
  assert.equal(execution.text, '21')
  assert.equal(lines.join(''), 'printed\n')

  const failed = await sandbox.runCode('1 / 0')
  assert.equal(failed.error.name, 'ZeroDivisionError')

  const figure = await sandbox.runCode(
    'import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])\nplt.show()',
  )
  assert.equal(Buffer.from(figure.results[0].png, 'base64').subarray(1, 4).toString(), 'PNG')
})
