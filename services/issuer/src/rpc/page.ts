/** How many are told where no size is asked for. */
const pageSizeDefault = 50;

/** Which part of a list a request means. */
export const toPage = ({ pageSize, pageToken }: { readonly pageSize: number; readonly pageToken: string }) => ({
  pageSize: pageSize || pageSizeDefault,
  after: pageToken,
});
