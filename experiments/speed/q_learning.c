/* Q-learning on a finite environment: what agents/tabular does, for `rl-lab speed tabular` to be measured against. */

#include <stdint.h>

typedef unsigned __int128 wide;
typedef struct { wide state, increment; } pcg64;

static inline double uniform(pcg64 *rng) {
    const wide multiplier = ((wide)0x2360ED051FC65DA4ull << 64) | 0x4385DF649FCCF645ull;
    rng->state = rng->state * multiplier + rng->increment;
    uint64_t mixed = (uint64_t)(rng->state >> 64) ^ (uint64_t)rng->state;
    unsigned turn = (unsigned)(rng->state >> 122);
    return (((mixed >> turn) | (mixed << ((64 - turn) & 63))) >> 11) * (1.0 / 9007199254740992.0);
}

/* rngs: exploration, then environment: high and low words of state and increment. Returns the number of episodes. */
int64_t train(double *q, int64_t actions, int64_t outcomes, const double *cumulative, const int64_t *next_states,
              const double *rewards, const uint8_t *terminated, int64_t start, int64_t limit, const uint64_t *words,
              double epsilon, double decay, double least, double learning_rate, double discount, int64_t steps) {
    pcg64 explore = {((wide)words[0] << 64) | words[1], ((wide)words[2] << 64) | words[3]};
    pcg64 environment = {((wide)words[4] << 64) | words[5], ((wide)words[6] << 64) | words[7]};
    int64_t state = start, length = 0, episodes = 0;
    uniform(&environment); /* the first reset */
    for (int64_t step = 0; step < steps; step++) {
        const double *values = q + state * actions;
        int64_t action = 0;
        if (uniform(&explore) < epsilon) {
            action = (int64_t)(uniform(&explore) * actions);
        } else {
            double best = values[0];
            int64_t ties = 1;
            for (int64_t other = 1; other < actions; other++) {
                if (values[other] > best) {
                    best = values[other];
                    action = other;
                    ties = 1;
                } else if (values[other] == best) {
                    ties++;
                }
            }
            if (ties > 1) {
                int64_t skipped = (int64_t)(uniform(&explore) * ties);
                while (values[action] != best || skipped-- > 0) action++;
            }
        }
        double draw = uniform(&environment);
        int64_t pair = state * actions + action, outcome = pair * outcomes;
        for (int64_t one = 0; one < outcomes; one++) {
            if (cumulative[pair * outcomes + one] > draw) {
                outcome = pair * outcomes + one;
                break;
            }
        }
        int64_t next_state = next_states[outcome];
        double target = rewards[outcome];
        if (!terminated[outcome]) {
            const double *next = q + next_state * actions;
            double best = next[0];
            for (int64_t other = 1; other < actions; other++) best = next[other] > best ? next[other] : best;
            target += discount * best;
        }
        q[pair] = (1.0 - learning_rate) * q[pair] + learning_rate * target;
        state = next_state;
        if (terminated[outcome] || ++length >= limit) {
            epsilon = epsilon * decay > least ? epsilon * decay : least;
            episodes++;
            state = start;
            length = 0;
            if (step + 1 < steps) uniform(&environment);
        }
    }
    return episodes;
}
