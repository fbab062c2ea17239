"""Have a job run again that failed for good, or waits."""

from kombu_zipkin.jobs import DeadJobs, Job, JobRecords, opened_delays


class Repair:
    """Works on the queue's Redis, opened for each repair: they are rare. Any thread may use it.

    Args:
        url: The queue's Redis.
        records: Told of it.
        namespace: Prefix of every key.
    """

    def __init__(self, url: str, records: JobRecords, namespace: str) -> None:
        self._url = url
        self._records = records
        self._namespace = namespace

    def retry(self, job: Job) -> bool:
        """Put a waiting or dead job into its queue now; False where it is neither any more.

        Raises:
            BrokerUnavailable: Redis does not answer.
        """
        with opened_delays(self._url, self._namespace) as waiting:
            if waiting.release_now(job.id):
                return True
        dead = DeadJobs(self._url, [job.queue], self._records, namespace=self._namespace, timeout=2.0)
        try:
            letter = dead.show(job.id)
            return letter is not None and dead.replay(letter)
        finally:
            dead.close()
