/* The evaluator's job in plain scalar C: decode plans of one-slot nodes without link contention.
 *
 * Tasks in the order given; predecessors as compressed lists; an item that changes nodes arrives
 * latency + bytes / bandwidth later. A node whose residents do not fit never runs anything. Writes the
 * start and finish of each task, and the latency of each plan.
 *
 * With TUNED, no branch asks whether an item changes nodes: on the diagonals of the two K x K tables
 * are 0 and infinity, and random placements make that branch hard to predict.
 */
#include <math.h>
#include <stdint.h>

void decode(int64_t plans, int64_t tasks, int64_t nodes,
            const int64_t *first, const int32_t *source, const double *bytes,
            const double *latency, const double *bandwidth, const double *time,
            const double *resident, const double *capacity,
            const int32_t *node, const int32_t *order,
            double *restrict start, double *restrict finish, double *restrict last)
{
    double available[nodes], load[nodes];
    for (int64_t b = 0; b < plans; b++) {
        const int32_t *at = node + b * tasks, *sequence = order + b * tasks;
        double *begin = start + b * tasks, *end = finish + b * tasks, latest = 0.0;
        for (int64_t k = 0; k < nodes; k++)
            load[k] = 0.0;
        for (int64_t i = 0; i < tasks; i++)
            load[at[i]] += resident[i];
        for (int64_t k = 0; k < nodes; k++)
            available[k] = load[k] > capacity[k] ? INFINITY : 0.0;
        for (int64_t q = 0; q < tasks; q++) {
            int32_t i = sequence[q], k = at[i];
            double ready = available[k];
            for (int64_t e = first[i]; e < first[i + 1]; e++) {
                int32_t j = source[e];
                int64_t pair = at[j] * nodes + k;
#ifdef TUNED
                double arrival = end[j] + (latency[pair] + bytes[e] / bandwidth[pair]);
#else
                double arrival = end[j];
                if (at[j] != k)
                    arrival += latency[pair] + bytes[e] / bandwidth[pair];
#endif
                ready = arrival > ready ? arrival : ready;
            }
            double done = ready + time[i * nodes + k];
            begin[i] = ready;
            end[i] = available[k] = done;
            latest = done > latest ? done : latest;
        }
        last[b] = latest;
    }
}
