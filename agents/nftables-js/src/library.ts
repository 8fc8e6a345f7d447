import { CString, dlopen, FFIType, type Pointer } from "bun:ffi";
import { type CommandRunner, rejected } from "./command.ts";

const symbols = {
  nft_ctx_new: { args: [FFIType.u32], returns: FFIType.ptr },
  nft_ctx_free: { args: [FFIType.ptr], returns: FFIType.void },
  nft_ctx_set_dry_run: { args: [FFIType.ptr, FFIType.bool], returns: FFIType.void },
  nft_ctx_buffer_output: { args: [FFIType.ptr], returns: FFIType.i32 },
  nft_ctx_buffer_error: { args: [FFIType.ptr], returns: FFIType.i32 },
  nft_ctx_get_output_buffer: { args: [FFIType.ptr], returns: FFIType.ptr },
  nft_ctx_get_error_buffer: { args: [FFIType.ptr], returns: FFIType.ptr },
  nft_run_cmd_from_buffer: { args: [FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
} as const;

/**
 * Runs commands in this process through libnftables: about a millisecond each. Undefined where the library is not installed.
 * It works on the calling thread's network namespace.
 */
export function libnftables(name = "libnftables.so.1"): CommandRunner | undefined {
  let library: ReturnType<typeof dlopen<typeof symbols>>;
  try {
    library = dlopen(name, symbols);
  } catch {
    return undefined;
  }
  const call = library.symbols;
  const context = call.nft_ctx_new(0);
  if (!context || call.nft_ctx_buffer_output(context) !== 0 || call.nft_ctx_buffer_error(context) !== 0) return undefined;
  const text = (pointer: unknown): string => (pointer ? new CString(pointer as Pointer).toString() : "");
  return {
    // Synchronous underneath: a change takes about a millisecond, less than a thread hop costs.
    async run(commands, { check = false } = {}) {
      call.nft_ctx_set_dry_run(context, check);
      const code = call.nft_run_cmd_from_buffer(context, Buffer.from(`${commands}\0`));
      const output = text(call.nft_ctx_get_output_buffer(context));
      const problems = text(call.nft_ctx_get_error_buffer(context));
      if (code !== 0) throw rejected(problems);
      return output;
    },
    close() {
      call.nft_ctx_free(context);
      library.close();
    },
  };
}
