/** gRPC status codes that callers tell apart (https://grpc.github.io/grpc/core/md_doc_statuscodes.html). */
export const GrpcCode = {
  Cancelled: 1, Unknown: 2, InvalidArgument: 3, DeadlineExceeded: 4, NotFound: 5, AlreadyExists: 6, PermissionDenied: 7, ResourceExhausted: 8,
  FailedPrecondition: 9, OutOfRange: 11, Unimplemented: 12, Unavailable: 14, Unauthenticated: 16,
} as const;

/** A failed call: the server's own message, or that of the connection, and its gRPC code. */
export class GrpcError extends Error {
  override readonly name = "GrpcError";
  /** `unsent`: the server has certainly not seen the call, so that it may be made again elsewhere. */
  constructor(readonly code: number, message: string, readonly method: string, { unsent = false, ...options }: ErrorOptions & { unsent?: boolean } = {}) {
    super(message, options);
    this.unsent = unsent;
  }

  readonly unsent: boolean;
}
