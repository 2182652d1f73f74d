// Plays the calls that it is told of, one a line, and says what came of each as JSON.
import { createInterface } from 'node:readline'
import { Sandbox } from '@e2b/code-interpreter'

const [sandboxId, timeout] = process.argv.slice(2)
const requestTimeoutMs = Number(timeout)
const sandbox = await Sandbox.connect(sandboxId)
const quoted = (text) => JSON.stringify(text).replaceAll('"', "'")

const calls = {
  create: async () => {
    const made = await Sandbox.create({ requestTimeoutMs })
    await made.kill()
    return 'a sandbox'
  },
  list: async () => {
    await Sandbox.list({ requestTimeoutMs }).nextItems()
    return 'the list'
  },
  commands_run: async () =>
    quoted((await sandbox.commands.run('echo hi', { timeoutMs: requestTimeoutMs })).stdout),
  files_read: async () => {
    const text = await sandbox.files.read('text', { requestTimeoutMs })
    return text.length === 1_500_000 ? 'the file' : 'a damaged file'
  },
  files_write: async () => {
    await sandbox.files.write('written', 'text', { requestTimeoutMs })
    return 'it is written'
  },
  run_code: async () => {
    const done = await sandbox.runCode("print('hi')\n1 + 1", { timeoutMs: requestTimeoutMs })
    return `${quoted(done.text ?? null)}, printed ${quoted(done.logs.stdout.join(''))}`
  },
}

for await (const name of createInterface({ input: process.stdin })) {
  let said
  try {
    said = { result: await calls[name]() }
  } catch (error) {
    said = { name: error.constructor.name, message: String(error.message) }
  }
  console.log(JSON.stringify(said))
}
process.exit(0)
