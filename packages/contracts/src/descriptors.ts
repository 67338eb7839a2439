import { fileURLToPath } from 'node:url';

/** A google.protobuf.FileDescriptorSet of all protos, with their comments. */
export const descriptorSetFile: string = fileURLToPath(new URL('./gen/descriptors.binpb', import.meta.url));
