import { PageLoading } from "@/shell/PageLoading";

export default PageLoading;
