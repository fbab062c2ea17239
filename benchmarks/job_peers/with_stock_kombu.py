"""kombu's own Redis transport and ConsumerMixin: one thread, prefetch as many as the others have threads."""

import kombu
from kombu.mixins import ConsumerMixin
from peer import THREADS, run, url

QUEUE = kombu.Queue("peer-jobs", kombu.Exchange(""), routing_key="peer-jobs")
connection = kombu.Connection(url())
producer = connection.Producer()


class Worker(ConsumerMixin):
    """Acknowledges after the work."""

    connection = connection

    def get_consumers(self, Consumer, channel):  # type: ignore[no-untyped-def] # noqa: N803 - kombu's own names
        """Make the one consumer."""
        return [Consumer(queues=[QUEUE], callbacks=[self.handle], prefetch_count=THREADS, accept=["json"])]

    def handle(self, body, message):  # type: ignore[no-untyped-def]
        """Do nothing, then acknowledge."""
        message.ack()


def publish(number: int) -> None:
    """Publish one job."""
    producer.publish({"n": number}, exchange="", routing_key="peer-jobs", serializer="json", declare=[QUEUE])


if __name__ == "__main__":
    run(publish, lambda: Worker().run())
